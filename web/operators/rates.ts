/** Rates of a server from two of its states, whose counters only grow. Pure. */
import { secondsBetween } from './format';
import type { MediaThread, ServerStatus } from './operatorsApi';

export interface Traffic {
  packetsIn: number;
  packetsOut: number;
  bitrateIn: number;
  bitrateOut: number;
}

const NONE: Traffic = { packetsIn: 0, packetsOut: 0, bitrateIn: 0, bitrateOut: 0 };

/** Returns the traffic of each media thread by its number; none before there are two states. */
export function trafficByThread(before: ServerStatus | null, after: ServerStatus): Traffic[] {
  const seconds = before ? secondsBetween(before.at, after.at) : 0;
  return after.mediaThreads.map((thread) => {
    const earlier = before?.mediaThreads.find(({ index }) => index === thread.index);
    return earlier && seconds > 0 ? traffic(earlier, thread, seconds) : NONE;
  });
}

/** Returns the traffic of all threads together. */
export function sum(all: Traffic[]): Traffic {
  const add = (one: Traffic, other: Traffic): Traffic => ({
    packetsIn: one.packetsIn + other.packetsIn,
    packetsOut: one.packetsOut + other.packetsOut,
    bitrateIn: one.bitrateIn + other.bitrateIn,
    bitrateOut: one.bitrateOut + other.bitrateOut,
  });
  return all.reduce(add, NONE);
}

/** Counters begin anew when a thread does. */
function traffic(before: MediaThread, after: MediaThread, seconds: number): Traffic {
  const rate = (of: (thread: MediaThread) => number) => Math.max(0, (of(after) - of(before)) / seconds);
  return {
    packetsIn: rate(({ packetsIn }) => packetsIn),
    packetsOut: rate(({ packetsOut }) => packetsOut),
    bitrateIn: 8 * rate(({ bytesIn }) => bytesIn),
    bitrateOut: 8 * rate(({ bytesOut }) => bytesOut),
  };
}
