/** What a viewer sees and hears of one publisher while the line behind a relay changes, sample by sample. */
import type { CallParticipant } from './callFixture';
import type { Relay } from './relay';
import { sleep } from './server';

const SAMPLE_MS = 100;

/** An `inbound-rtp` report of `getStats`. */
export type InboundReport = Record<string, unknown>;

/** Reads the reports of the receivers of one publisher's camera and microphone. */
export type ReadReports = () => Promise<InboundReport[]>;

/** What a viewer has received of a publisher. */
export interface ReceiverCounters {
  framesDecoded: number;
  /** Height of the picture in pixels. */
  height: number;
  /** Bytes of video that arrived, without retransmissions and padding. */
  videoBytes: number;
  /** Samples of sound that were made up, and of all. */
  concealed: number;
  played: number;
}

/** Counters at one instant. */
export interface LineSample extends ReceiverCounters {
  /** Time in ms since the start of the recording. */
  atMs: number;
  /** Bytes that were offered to the line. */
  offeredBytes: number;
}

/** Reads the reports of the other's camera and voice in our page. */
export function readPageReports(viewer: CallParticipant, publisher: CallParticipant): Promise<InboundReport[]> {
  return viewer.page.evaluate(async (name) => {
    const trackOf = (label: string) => {
      const element = document.querySelector(`[aria-label="${label}"]`) as HTMLMediaElement | null;
      return (element?.srcObject as MediaStream | null)?.getTracks()[0]?.id;
    };
    const ids = [trackOf(`${name}'s camera`), trackOf(`${name}'s voice`)];
    const reports: InboundReport[] = [];
    for (const connection of window.connections) {
      for (const receiver of connection.getReceivers().filter(({ track }) => ids.includes(track.id))) {
        for (const report of (await receiver.getStats()).values()) {
          if (report.type === 'inbound-rtp') reports.push({ ...report });
        }
      }
    }
    return reports;
  }, publisher.name);
}

/** Adds up the reports of a camera and a microphone. */
export function sumReports(reports: InboundReport[]): ReceiverCounters {
  const result = { framesDecoded: 0, height: 0, videoBytes: 0, concealed: 0, played: 0 };
  for (const report of reports) {
    const read = (name: string) => Number(report[name] ?? 0);
    if (report.kind === 'video') {
      result.framesDecoded += read('framesDecoded');
      result.height = Math.max(result.height, read('frameHeight'));
      result.videoBytes += read('bytesReceived') + read('headerBytesReceived') - read('retransmittedBytesReceived');
    } else {
      result.concealed += read('concealedSamples') - read('silentConcealedSamples');
      result.played += read('totalSamplesReceived');
    }
  }
  return result;
}

/** Records samples until the time is over. What is offered to the line counts in one direction. */
export async function recordLine(
  readReports: ReadReports,
  relay: Pick<Relay, 'counts'>,
  seconds: number,
  direction: 'up' | 'down' = 'down',
): Promise<LineSample[]> {
  const samples: LineSample[] = [];
  const started = Date.now();
  let last = sumReports(await readReports());
  while (Date.now() - started < seconds * 1_000) {
    const counters = sumReports(await readReports());
    // While a picture is withheld its element is gone; the counters of before still hold.
    if (counters.framesDecoded > 0 || counters.played > 0) last = counters;
    const offeredBytes = (await relay.counts())[direction].bytes;
    samples.push({ atMs: Date.now() - started, offeredBytes, ...last });
    await sleep(SAMPLE_MS);
  }
  return samples;
}

/** Returns the samples from one time to another, in ms. */
export function between(samples: LineSample[], fromMs: number, untilMs = Number.POSITIVE_INFINITY): LineSample[] {
  return samples.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs);
}

/** Returns the most that was offered in any second, in kbit/s. */
export function mostOfferedKbps(samples: LineSample[]): number {
  let most = 0;
  for (const first of samples) {
    const last = samples.find(({ atMs }) => atMs >= first.atMs + 1_000);
    if (last) most = Math.max(most, ((last.offeredBytes - first.offeredBytes) * 8) / (last.atMs - first.atMs));
  }
  return most;
}

/** Returns the bitrate of the video that arrived, in kbit/s. */
export function videoKbps(samples: LineSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs <= first.atMs) return 0;
  return (8 * (last.videoBytes - first.videoBytes)) / (last.atMs - first.atMs);
}

/** Returns the share of sound that was made up, in percent. A rejoin makes a new receiver, which counts from zero. */
export function concealedPercent(samples: LineSample[]): number {
  const sum = { concealed: 0, played: 0 };
  samples.slice(1).forEach((sample, index) => {
    const former = samples[index];
    const isNew = !former || sample.played < former.played;
    sum.concealed += sample.concealed - (isNew ? 0 : former.concealed);
    sum.played += sample.played - (isNew ? 0 : former.played);
  });
  return sum.played > 0 ? (100 * sum.concealed) / sum.played : 100;
}

/** Returns the times in ms, from one frame to the next, that were longer than `minMs`. */
function pauses(samples: LineSample[], minMs: number): number[] {
  const result: number[] = [];
  let since = samples[0];
  for (const sample of samples) {
    if (!since || sample.framesDecoded !== since.framesDecoded || sample === samples.at(-1)) {
      const pause = sample.atMs - (since?.atMs ?? 0);
      if (pause > minMs) result.push(pause);
      since = sample;
    }
  }
  return result;
}

/** Returns the longest time in ms without a new frame. */
export function longestPauseMs(samples: LineSample[]): number {
  return Math.max(0, ...pauses(samples, 0));
}

/** Returns the share of the time in which the picture stood still for longer than 300 ms, in percent. */
export function frozenPercent(samples: LineSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs <= first.atMs) return 100;
  const frozen = pauses(samples, 300).reduce((sum, ms) => sum + ms, 0);
  return (100 * frozen) / (last.atMs - first.atMs);
}

/** Returns the time in ms from the first sample until the picture has this height; undefined when it never has. */
export function heightReachedMs(samples: LineSample[], height: number): number | undefined {
  const first = samples[0];
  const reached = samples.find((sample, index) => {
    const before = samples[index - 1];
    return sample.height >= height && before !== undefined && sample.framesDecoded > before.framesDecoded;
  });
  return first && reached && reached.atMs - first.atMs;
}

/** Returns frames per second. */
export function framesPerSecond(samples: LineSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs <= first.atMs) return 0;
  return ((last.framesDecoded - first.framesDecoded) * 1_000) / (last.atMs - first.atMs);
}
