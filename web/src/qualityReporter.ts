/**
 * Reports to the server, for its history of calls, what only the page knows: load of the device, what is played, and the
 * state of microphone and camera. Loaded on demand: only where the server wants reports.
 */
import { readMediaStats, number, routeOf, type Report, type StatsReports } from './mediaStats';
import type { DeviceState, PageReport } from './protocol';

/** State of the person's devices. */
export interface Devices {
  microphone: DeviceState;
  camera: DeviceState;
}

/** Sources of a reporter, and where its reports go. */
export interface ReporterSources {
  reports(): Promise<StatsReports>;
  devices(): Devices;
  send(report: PageReport): void;
}

/** Interval of the timer by which the page notices that it does not run. */
const TICK_MS = 250;
/** Lateness of that timer which is usual. */
const LATE_MS_USUAL = 100;
/** With less than this, in bit/s, only the smallest encoding of a camera fits beside the sound. */
const SEND_BITRATE_MIN = 250_000;
/** Fewer frames or samples than this in an interval say nothing. */
const FRAMES_MIN = 20;

/** Sums over all tracks that are received. All only grow. */
interface Counters {
  framesReceived: number;
  framesDecoded: number;
  framesDropped: number;
  frozenS: number;
  tracks: number;
  samples: number;
  samplesConcealed: number;
}

/** Interruptions of the page since the last report. */
export interface RunTimes {
  /** Longest time for which it did not run. */
  stalledMs: number;
  /** Share of the time in which it was visible and did not get to run, 0 to 1. */
  busyShare: number;
}

/** Returns the report on the time between two readings. */
export function pageReport(before: StatsReports, after: StatsReports, seconds: number, devices: Devices, run: RunTimes): PageReport {
  const [one, two] = [countersOf(before.receive), countersOf(after.receive)];
  const grown = (name: keyof Counters) => Math.max(0, two[name] - one[name]);
  const received = grown('framesReceived');
  const undecoded = Math.max(received - grown('framesDecoded'), grown('framesDropped'));
  const samples = grown('samples');
  const { limitedByCpu, limitedByBandwidth, availableBitrate } = readMediaStats(after, new Map()).sendPath;
  const route = routeOf(after.send) ?? routeOf(after.receive);
  return {
    ...(route && { route }),
    limitedByCpu: limitedByCpu === true,
    limitedByBandwidth: limitedByBandwidth === true && (availableBitrate ?? SEND_BITRATE_MIN) < SEND_BITRATE_MIN,
    frozenPercent: percent(grown('frozenS') / (seconds * Math.max(1, two.tracks))),
    concealedPercent: samples >= FRAMES_MIN ? percent(grown('samplesConcealed') / samples) : 0,
    droppedPercent: received >= FRAMES_MIN ? percent(undecoded / received) : 0,
    busyPercent: percent(run.busyShare),
    stalledMs: Math.min(3_600_000, Math.round(run.stalledMs)),
    ...devices,
  };
}

function countersOf(reports: readonly Report[]): Counters {
  const inbound = reports.filter((it) => it.type === 'inbound-rtp');
  const videos = inbound.filter((it) => it.kind === 'video');
  const sum = (of: readonly Report[], name: string) => of.reduce((total, it) => total + number(it[name]), 0);
  return {
    framesReceived: sum(videos, 'framesReceived'),
    framesDecoded: sum(videos, 'framesDecoded'),
    framesDropped: sum(videos, 'framesDropped'),
    frozenS: sum(videos, 'totalFreezesDuration'),
    tracks: videos.length,
    samples: sum(inbound, 'totalSamplesReceived'),
    samplesConcealed: sum(inbound, 'concealedSamples') - sum(inbound, 'silentConcealedSamples'),
  };
}

function percent(share: number): number {
  return Math.round(100 * Math.min(1, Math.max(0, share)));
}

export class QualityReporter {
  private readonly ticker = setInterval(() => this.tick(), TICK_MS);
  private readonly timer: ReturnType<typeof setInterval>;
  private last: { atMs: number; reports: StatsReports } | null = null;
  private tickedMs = Date.now();
  private stalledMs = 0;
  private lateMs = 0;
  private stopped = false;

  constructor(
    private readonly sources: ReporterSources,
    intervalS: number,
  ) {
    this.timer = setInterval(() => void this.report(), intervalS * 1_000);
    void this.report();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.ticker);
    clearInterval(this.timer);
  }

  private tick(): void {
    const now = Date.now();
    const late = now - this.tickedMs - TICK_MS;
    this.tickedMs = now;
    this.stalledMs = Math.max(this.stalledMs, late);
    // Timers of hidden pages are slowed down.
    if (late > LATE_MS_USUAL && document.visibilityState === 'visible') this.lateMs += late;
  }

  private async report(): Promise<void> {
    const reports = await this.sources.reports().catch(() => null);
    if (!reports || this.stopped) return;
    const { last } = this;
    const atMs = Date.now();
    this.last = { atMs, reports };
    if (!last || atMs <= last.atMs) return;
    const elapsedMs = atMs - last.atMs;
    const run = { stalledMs: this.stalledMs, busyShare: this.lateMs / elapsedMs };
    [this.stalledMs, this.lateMs] = [0, 0];
    this.sources.send(pageReport(last.reports, reports, elapsedMs / 1_000, this.sources.devices(), run));
  }
}
