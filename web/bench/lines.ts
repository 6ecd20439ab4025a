/** Traces of lines, as commands to the relay, and what a viewer received in each of their phases. */
import {
  between,
  concealedPercent,
  framesPerSecond,
  frozenPercent,
  heightReachedMs,
  longestPauseMs,
  mostOfferedKbps,
  recordLine,
  videoKbps,
  type LineSample,
  type ReadReports,
} from '../tests/lineQuality';
import type { Relay } from '../tests/relay';
import { sleep } from '../tests/server';

/** A time with one state of the line. */
export interface Phase {
  name: string;
  seconds: number;
  commands: string[];
  /** Bitrate of the line in kbit/s, where it has one. */
  kbps?: number;
}

/** What a viewer received in a phase. */
export interface PhaseResult {
  phase: string;
  /** Bitrate of the line in kbit/s, where it has one. */
  lineKbps?: number;
  /** Most that was offered to the line in any second after the first, in kbit/s. */
  offeredKbps: number;
  /** Bitrate of the video after five seconds, in kbit/s; of all of it in a shorter phase. So are the frames. */
  videoKbps: number;
  concealedPercent: number;
  frozenPercent: number;
  longestPauseMs: number;
  framesPerSecond: number;
  /** Height of the picture in pixels at the end, the highest, and the time in ms until that was reached. */
  finalHeight: number;
  bestHeight: number;
  bestHeightMs?: number;
}

/** Time in ms before a trace starts: estimate and camera reach their bitrate. */
const SETTLE_MS = 8_000;
/** Times in ms after the start of a phase from which the offered bitrate, and video and frames are measured. */
const OFFERED_FROM_MS = 1_000;
const SETTLED_FROM_MS = 5_000;

/** Delay in each direction and queue of all lines in ms. */
export const BASE = 'delay=20 queue=300';
const line = (kbps: number, seconds: number, name = `${kbps / 1_000} Mbit/s`): Phase => ({
  name,
  seconds,
  kbps,
  commands: [`down ${BASE} rate=${kbps * 1_000}`],
});
const impaired = (name: string, seconds: number, ...commands: string[]): Phase => ({ name, seconds, commands });
const clean = (seconds: number): Phase => impaired('clean', seconds, `both ${BASE}`);
/** Mean runs in packets: 5 % are lost in bursts of four. */
const BURSTS = `down ${BASE} bursts=76:4`;

const LINES: Record<string, Phase[]> = {
  'steps': [line(2_500, 20), line(600, 25), line(1_500, 25), line(300, 25), line(2_500, 25)],
  'slow viewer': [line(700, 20, '0.7 Mbit/s at first'), line(700, 30, '0.7 Mbit/s later')],
  'burst loss of 5 %': [clean(5), impaired('5 % in bursts', 25, BURSTS)],
  'random loss of 20 %': [clean(5), impaired('20 % lost', 25, `down ${BASE} loss=0.2`)],
  'jitter of 100 ms': [clean(5), impaired('0 to 100 ms', 25, 'down delay=60 queue=300 jitter=50')],
  'loss of feedback': [clean(5), impaired('30 % of feedback lost', 25, `up ${BASE} loss=0.3`)],
  'dip of 30 s': [line(2_500, 15), line(250, 30), line(2_500, 25)],
  'outages': [
    clean(5),
    impaired('outage of 1 s', 1, 'cut all down'),
    impaired('after it', 10, 'restore'),
    impaired('outage of 15 s', 15, 'cut all down'),
    impaired('after it', 15, 'restore'),
  ],
};

/** Traces of a publisher's line. */
const PUBLISHER_LINES: Record<string, Phase[]> = {
  'slow publisher': [
    clean(5),
    { name: '0.4 Mbit/s up', seconds: 30, kbps: 400, commands: [`up ${BASE} rate=400000`] },
    clean(15),
  ],
};

/** A line with its name, and the direction of media on it: down to a viewer, up from a publisher. */
export interface Line {
  name: string;
  phases: Phase[];
  direction: 'up' | 'down';
}

/** Returns the lines whose names contain this text: of viewers, and with `up` of publishers. */
export function linesNamed(text: string, directions: Line['direction'][] = ['down']): Line[] {
  const all = { down: LINES, up: PUBLISHER_LINES };
  const known = directions.flatMap((direction) => Object.entries(all[direction]).map(([name, phases]) => ({ name, phases, direction })));
  const lines = known.filter(({ name }) => name.includes(text));
  if (lines.length === 0) throw new Error(`no line is named like "${text}": ${known.map(({ name }) => name).join(', ')}`);
  return lines;
}

export function totalSeconds(phases: Phase[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Lets a line go through its phases; returns what the viewer received in each. */
export async function measureLine(readReports: ReadReports, relay: Relay, { phases, direction }: Line): Promise<PhaseResult[]> {
  await sleep(SETTLE_MS);
  const recording = recordLine(readReports, relay, totalSeconds(phases) + 1, direction);
  const started = Date.now();
  const starts: number[] = [];
  for (const { seconds, commands } of phases) {
    for (const command of commands) await relay.command(command);
    starts.push(Date.now() - started);
    await sleep(seconds * 1_000);
  }
  const samples = await recording;
  return phases.map((phase, index) => measurePhase(phase, samples, starts[index] ?? 0, starts[index + 1]));
}

function measurePhase(phase: Phase, samples: LineSample[], fromMs: number, untilMs?: number): PhaseResult {
  const all = between(samples, fromMs, untilMs);
  const late = between(samples, fromMs + SETTLED_FROM_MS, untilMs);
  const settled = late.length > 2 ? late : all;
  const bestHeight = Math.max(0, ...all.map(({ height }) => height));
  const bestHeightMs = heightReachedMs(all, bestHeight);
  return {
    phase: phase.name,
    ...(phase.kbps !== undefined && { lineKbps: phase.kbps }),
    offeredKbps: mostOfferedKbps(between(samples, fromMs + OFFERED_FROM_MS, untilMs)),
    videoKbps: videoKbps(settled),
    concealedPercent: concealedPercent(all),
    frozenPercent: frozenPercent(all),
    longestPauseMs: longestPauseMs(all),
    framesPerSecond: framesPerSecond(settled),
    finalHeight: all.at(-1)?.height ?? 0,
    bestHeight,
    ...(bestHeightMs !== undefined && { bestHeightMs }),
  };
}

/** Formats what was offered, as a multiple of the line where that has a bitrate. */
export function formatOffered({ offeredKbps, lineKbps }: PhaseResult): string {
  return lineKbps === undefined ? `${offeredKbps.toFixed(0)} kbit/s` : `${(offeredKbps / lineKbps).toFixed(2)} ×`;
}
