/**
 * A viewer in Chromium on lines that change: what the server offers to the line, what is seen and heard.
 * One row for each phase of a line. `LINES=dip` runs the lines whose names contain that.
 */
import { test } from '../tests/callFixture';
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
} from '../tests/lineQuality';
import { sleep } from '../tests/server';

/** A time with one state of the line. */
interface Phase {
  name: string;
  seconds: number;
  commands: string[];
  /** Bitrate of the line in kbit/s, where it has one. */
  kbps?: number;
}

/** Round trip and queue of all lines in ms. */
const BASE = 'delay=20 queue=300';
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

const wanted = process.env.LINES ?? '';
for (const [name, phases] of Object.entries(LINES).filter(([name]) => name.includes(wanted))) {
  test(name, async ({ call }) => {
    test.setTimeout(300_000);
    const [up, down] = await call.startServerBehindRelays(2);
    if (!up || !down) throw new Error('two relays were not started');
    const ana = await call.join('ana', { options: { width: '1280' }, relayPort: up.port });
    await down.command(`both ${BASE}`);
    const ben = await call.join('ben', {
      options: { width: '320' },
      relayPort: down.port,
      viewport: { width: 1600, height: 1000 },
    });
    await ben.turnCameraOff();
    await ben.expectVideoFrom(ana);
    await sleep(8_000);
    const total = phases.reduce((sum, { seconds }) => sum + seconds, 0);
    const recording = recordLine(ben, ana, down, total + 1);
    const started = Date.now();
    const starts: number[] = [];
    for (const { seconds, commands } of phases) {
      for (const command of commands) await down.command(command);
      starts.push(Date.now() - started);
      await sleep(seconds * 1_000);
    }
    const samples = await recording;
    const rows = phases.map((phase, index) => {
      const from = starts[index] ?? 0;
      const all = between(samples, from, starts[index + 1]);
      const later = between(samples, from + 1_000, starts[index + 1]);
      const settled = between(samples, from + 5_000, starts[index + 1]);
      const offered = mostOfferedKbps(later);
      const best = Math.max(0, ...all.map(({ height }) => height));
      return [
        phase.name,
        phase.kbps ? `${(offered / phase.kbps).toFixed(2)} ×` : `${offered.toFixed(0)} kbit/s`,
        phase.kbps ? `${((100 * videoKbps(settled)) / phase.kbps).toFixed(0)} %` : `${videoKbps(settled).toFixed(0)} kbit/s`,
        `${concealedPercent(all).toFixed(2)} %`,
        `${frozenPercent(all).toFixed(1)} %`,
        `${longestPauseMs(all)} ms`,
        `${framesPerSecond(settled.length > 2 ? settled : all).toFixed(1)} fps`,
        `${all.at(-1)?.height}p`,
        `${best}p after ${heightReachedMs(all, best) ?? '–'} ms`,
      ].join(' | ');
    });
    const head = 'line | most offered after 1 s | video | concealed | frozen | longest pause | frames | at the end | best';
    console.log(`\n${name}\n${head}\n${rows.join('\n')}`);
  });
}
