/**
 * A viewer in Chromium on lines that change, or with a publisher on one: what is offered to the line, what is seen and
 * heard. One row for each phase of a line. `LINES=dip` runs the lines whose names contain that.
 */
import { test } from '../tests/callFixture';
import { readPageReports } from '../tests/lineQuality';
import { BASE, formatOffered, linesNamed, measureLine, type PhaseResult } from './lines';

const HEAD = 'line | most offered after 1 s | video | concealed | frozen | longest pause | frames | at the end | best';

for (const line of linesNamed(process.env.LINES ?? '', ['down', 'up'])) {
  test(line.name, async ({ call }) => {
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
    const results = await measureLine(() => readPageReports(ben, ana), { up, down }[line.direction], line);
    console.log(`\n${line.name}\n${HEAD}\n${results.map(formatRow).join('\n')}`);
  });
}

function formatRow(result: PhaseResult): string {
  const { lineKbps } = result;
  return [
    result.phase,
    formatOffered(result),
    lineKbps ? `${((100 * result.videoKbps) / lineKbps).toFixed(0)} %` : `${result.videoKbps.toFixed(0)} kbit/s`,
    `${result.concealedPercent.toFixed(2)} %`,
    `${result.frozenPercent.toFixed(1)} %`,
    `${result.longestPauseMs} ms`,
    `${result.framesPerSecond.toFixed(1)} fps`,
    `${result.finalHeight}p`,
    `${result.bestHeight}p after ${result.bestHeightMs ?? '–'} ms`,
  ].join(' | ');
}
