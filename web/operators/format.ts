/** Numbers and times as operators read them. Pure. */

const UNITS = ['', 'k', 'M', 'G', 'T'];
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
export const DAY_S = 24 * HOUR_S;

/** Returns a number with a decimal prefix and three digits or fewer, such as `1.2 M`. */
function withPrefix(value: number, unit: string): string {
  let [scaled, index] = [value, 0];
  while (scaled >= 999.5 && index < UNITS.length - 1) {
    scaled /= 1_000;
    index += 1;
  }
  const digits = scaled < 9.95 && index > 0 ? scaled.toFixed(1) : String(Math.round(scaled));
  return `${digits} ${UNITS[index]}${unit}`;
}

export function formatBitrate(bitsPerSecond: number): string {
  return withPrefix(bitsPerSecond, 'bit/s');
}

export function formatPacketRate(packetsPerSecond: number): string {
  return withPrefix(packetsPerSecond, 'p/s');
}

export function formatBytes(bytes: number): string {
  return withPrefix(bytes, 'B');
}

/** Returns a share from 0 to 1 in percent; small ones with a decimal. */
export function formatShare(share: number): string {
  const percent = share * 100;
  return `${percent > 0 && percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** Returns a duration in its two largest units, such as `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE_S) return `${whole} s`;
  if (whole < HOUR_S) return `${Math.floor(whole / MINUTE_S)} min`;
  if (whole < DAY_S) return `${Math.floor(whole / HOUR_S)} h ${Math.floor((whole % HOUR_S) / MINUTE_S)} min`;
  return `${Math.floor(whole / DAY_S)} d ${Math.floor((whole % DAY_S) / HOUR_S)} h`;
}

/** Returns the seconds from one time of the server to another. */
export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1_000;
}

/** Returns a time of the server in the time zone of the reader, to the minute. */
export function formatTime(time: string): string {
  return new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/** Returns `1 room`, `2 rooms`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${value} ${value === 1 ? one : many}`;
}
