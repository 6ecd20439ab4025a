/** Someone whose network lets nothing through but a relay, and gets its password from our server. */
import type { Page } from '@playwright/test';
import { Coturn } from './coturn';
import { expect, test as base, type Person } from './callFixture';

const test = base.extend<{ coturn: Coturn }>({
  coturn: async ({}, use, info) => {
    const coturn = await Coturn.start('north-wind-and-the-sun-and-the-traveller');
    await use(coturn);
    await coturn.stop();
    if (info.status !== info.expectedStatus) {
      await info.attach('coturn', { body: coturn.output, contentType: 'text/plain' });
    }
  },
});

/** A server that knows this relay. The relay reaches it by the loopback address, and answers must come from there. */
function environment(coturn: Coturn): Record<string, string> {
  return {
    MEDIASOUP_LISTEN_IP: '127.0.0.1',
    WATERSMEET_TURN_URLS: coturn.url,
    WATERSMEET_TURN_SECRET: coturn.secret,
  };
}

test('who can only use a relay is in the call like everybody', async ({ people, coturn }) => {
  await people.meetAt(environment(coturn));
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: 'tea-at-four' });
  await usesRelaysOnly(ben);
  await ben.joins();

  await ben.sees(ana);
  await ana.sees(ben);
  await ben.hears(ana);
  await ana.hears(ben);
  const used = await candidateTypes(ben.page);
  expect(used.length).toBeGreaterThan(0);
  expect(new Set(used)).toEqual(new Set(['relay']));
  expect(await candidateTypes(ana.page)).not.toContain('relay');
});

test('a password opens the relay to whom it was made for, until it ends', async ({ people, coturn }) => {
  await people.meetAt(environment(coturn));
  const ana = await people.joins('ana');
  // mediasoup-client's first connection is only asked what the browser can do, and knows no servers.
  const relays = () =>
    ana.page.evaluate(() => window.connections.flatMap((it) => it.getConfiguration().iceServers ?? []));
  await expect.poll(relays).not.toHaveLength(0);
  const given = (await relays()).find(({ urls }) => [urls].flat().includes(coturn.url));
  const [expiresS, name] = String(given?.username).split(':');
  const leftS = Number(expiresS) - Date.now() / 1_000;
  expect(leftS).toBeGreaterThan(60);
  expect(leftS).toBeLessThanOrEqual(86_400);
  expect(given).toMatchObject({ ...coturn.password(String(name), Number(expiresS)) });

  const tomorrowS = Math.floor(Date.now() / 1_000) + 86_400;
  const yesterdayS = tomorrowS - 2 * 86_400;
  expect(await relaysBy(ana.page, coturn.password('ana', tomorrowS))).toBeGreaterThan(0);
  expect(await relaysBy(ana.page, coturn.password('ana', yesterdayS))).toBe(0);
  const postponed = { ...coturn.password('ana', yesterdayS), username: `${tomorrowS}:ana` };
  expect(await relaysBy(ana.page, postponed)).toBe(0);
});

/** From the next load of the page on, this person's connections use candidates of relays and no others. */
async function usesRelaysOnly(person: Person): Promise<void> {
  await person.page.addInitScript(() => {
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super({ ...configuration, iceTransportPolicy: 'relay' });
      }
    };
  });
  await person.reloads();
}

/** The type of the local candidate behind each transport of the page. */
function candidateTypes(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const types: string[] = [];
    for (const connection of window.connections) {
      const stats = await connection.getStats();
      for (const report of stats.values()) {
        if (report.type !== 'transport') continue;
        const pair = stats.get(report.selectedCandidatePairId);
        types.push(String(stats.get(pair?.localCandidateId)?.candidateType));
      }
    }
    return types;
  });
}

/** How many candidates a browser gets from this relay. */
function relaysBy(page: Page, server: RTCIceServer): Promise<number> {
  return page.evaluate(async (relay) => {
    const connection = new RTCPeerConnection({ iceServers: [relay], iceTransportPolicy: 'relay' });
    let relays = 0;
    const gathered = new Promise<void>((resolve) => {
      connection.onicecandidate = ({ candidate }) => {
        if (candidate === null) resolve();
        else if (candidate.type === 'relay') relays += 1;
      };
    });
    connection.createDataChannel('probe');
    await connection.setLocalDescription();
    await gathered;
    connection.close();
    return relays;
  }, server);
}
