/**
 * Compares servers on lines that change: the same traces, the same Chromium, one publisher and one viewer.
 * `SERVERS="name=dialect@URL …"` names them (`leagueServers.ts`); without it our own server is started, and measured
 * with the test client of the native dialect, without ids, and with its page, which speaks it with ids.
 * `LINES=dip` selects lines by name, `OUT=file` writes the results as JSON.
 */
import { writeFile } from 'node:fs/promises';
import type { Call } from '../tests/callFixture';
import { test } from '../tests/dialects/clientFixture';
import { startLeagueCall, type Browsers } from './leagueCall';
import { parseServers, type LeagueServer } from './leagueServers';
import { formatTable, type LeagueResult } from './leagueTable';
import { BASE, linesNamed, measureLine, totalSeconds, type Line } from './lines';
import { ViewerLine } from './viewerLine';

/** Time for starting and ending a call, in addition to its trace. */
const CALL_MS_MAX = 120_000;

test('league', async ({ bundles, call }) => {
  const lines = linesNamed(process.env.LINES ?? '');
  const servers = parseServers(process.env.SERVERS ?? '');
  if (servers.length === 0) servers.push(...(await startOwnServer(call)));
  const seconds = lines.reduce((sum, { phases }) => sum + totalSeconds(phases), 0);
  test.setTimeout(servers.length * (seconds * 1_000 + lines.length * CALL_MS_MAX));
  const participants = { browser: await call.browser('chromium'), bundles, call };
  const results: LeagueResult[] = [];
  for (const line of lines) {
    // All servers on one line before the next: what else the machine does concerns them alike.
    for (const server of servers) {
      results.push(await measure(participants, server, line));
      console.log(`${line.name}: ${server.name} ${results.at(-1)?.failure ?? 'measured'}`);
    }
  }
  console.log(`\n${formatTable(results)}`);
  if (process.env.OUT) await writeFile(process.env.OUT, `${JSON.stringify({ servers, results }, null, 2)}\n`);
  const failures = results.flatMap(({ server, line, failure }) => (failure ? [`${server}, ${line}: ${failure}`] : []));
  if (failures.length > 0) throw new Error(failures.join('\n'));
});

async function startOwnServer(call: Call): Promise<LeagueServer[]> {
  const { url } = await call.startServer({ MEDIASOUP_LISTEN_IP: '127.0.0.1' });
  return [
    { name: 'native', client: 'native', url },
    { name: 'page', client: 'page', url },
  ];
}

/** Measures one server on one line. What goes wrong is a result. */
async function measure(participants: Browsers, server: LeagueServer, line: Line): Promise<LeagueResult> {
  const viewerLine = new ViewerLine(`both ${BASE}`);
  try {
    const running = await startLeagueCall(participants, server, viewerLine);
    try {
      return { server: server.name, line: line.name, phases: await measureLine(running.readReports, await viewerLine.relay(), line) };
    } finally {
      await running.close();
    }
  } catch (error) {
    // The further lines are where in a page or a bundle it happened.
    const [failure = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { server: server.name, line: line.name, phases: [], failure };
  } finally {
    await viewerLine.stop();
  }
}
