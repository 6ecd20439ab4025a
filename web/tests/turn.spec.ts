/** Participants who can only connect through a TURN server, with credentials from our server: coturn, or its own. */
import type { Page } from '@playwright/test';
import { Coturn } from './coturn';
import { candidateTypes, selectedCandidates, useRelaysOnly } from './relaysOnly';
import { freePort, freePortPair } from './server';
import { NIGHTLY, ROOM, expect, expectAllReceiveAll, test as base } from './callFixture';

const test = base.extend<{ coturn: Coturn }>({
  coturn: async ({}, use, info) => {
    const coturn = await Coturn.start('a-shared-secret-of-this-test-only');
    await use(coturn);
    await coturn.stop();
    if (info.status !== info.expectedStatus) {
      await info.attach('coturn', { body: coturn.output, contentType: 'text/plain' });
    }
  },
});

/** Configures our server with this TURN server, which reaches it at the loopback address. */
function turnEnvironment(coturn: Coturn): Record<string, string> {
  return {
    MEDIASOUP_LISTEN_IP: '127.0.0.1',
    WATERSMEET_TURN_URLS: coturn.url,
    WATERSMEET_TURN_SECRET: coturn.secret,
  };
}

test('a participant limited to relay candidates exchanges media', async ({ call, coturn }) => {
  await call.startServer(turnEnvironment(coturn));
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await useRelaysOnly(ben);
  await ben.join();

  await expectAllReceiveAll([ana, ben]);
  const types = await candidateTypes(ben.page);
  expect(types.length).toBeGreaterThan(0);
  expect(new Set(types)).toEqual(new Set(['relay']));
  await expect.poll(() => candidateTypes(ana.page)).not.toContain('relay');
});

test('the connection test tells that only a relay carries media', NIGHTLY, async ({ call, coturn }) => {
  await call.startServer(turnEnvironment(coturn));
  const ana = await call.open('ana', { room: ROOM, options: { camera: '0' } });
  await useRelaysOnly(ana);
  await ana.page.getByRole('button', { name: 'Test connection' }).click();
  const dialog = ana.page.getByRole('dialog', { name: 'Connection test' });
  await expect(dialog.getByRole('status')).toContainText('only through a relay', { timeout: 30_000 });
  await expect(dialog.getByText('Get through a relay only')).toBeVisible();
});

test('TURN credentials are accepted until they expire and only as issued', async ({ call, coturn }) => {
  await call.startServer(turnEnvironment(coturn));
  const ana = await call.join('ana');
  // mediasoup-client opens a first connection to read the browser's capabilities; it has no ICE servers.
  const iceServers = () =>
    ana.page.evaluate(() => window.connections.flatMap((it) => it.getConfiguration().iceServers ?? []));
  await expect.poll(iceServers).not.toHaveLength(0);
  const issued = (await iceServers()).find(({ urls }) => [urls].flat().includes(coturn.url));
  const [expiresS, name] = String(issued?.username).split(':');
  const lifetimeS = Number(expiresS) - Date.now() / 1_000;
  expect(lifetimeS).toBeGreaterThan(60);
  expect(lifetimeS).toBeLessThanOrEqual(86_400);
  expect(issued).toMatchObject({ ...coturn.credentials(String(name), Number(expiresS)) });

  const tomorrowS = Math.floor(Date.now() / 1_000) + 86_400;
  const yesterdayS = tomorrowS - 2 * 86_400;
  expect(await relayCandidateCount(ana.page, coturn.credentials('ana', tomorrowS))).toBeGreaterThan(0);
  expect(await relayCandidateCount(ana.page, coturn.credentials('ana', yesterdayS))).toBe(0);
  const forged = { ...coturn.credentials('ana', yesterdayS), username: `${tomorrowS}:ana` };
  expect(await relayCandidateCount(ana.page, forged)).toBe(0);
});

/** Settings of a server that relays itself, by where clients reach the relay. */
const EMBEDDED = {
  'ports of its own': async () => ({
    WATERSMEET_TURN_PORT: String(await freePortPair()),
    WATERSMEET_TURN_TLS_PORT: String(await freePort()),
  }),
  'the port of the page': async () => ({ WATERSMEET_ONE_PORT: 'true' }),
};

for (const [transport, url, place, tags] of [
  ['udp', 'transport=udp', 'ports of its own', {}],
  ['tcp', '^turn:.*transport=tcp', 'ports of its own', NIGHTLY],
  ['tls', '^turns:', 'ports of its own', NIGHTLY],
  ['tls', '^turns:', 'the port of the page', {}],
] as const) {
  test(`the server itself relays media over ${transport} on ${place}`, tags, async ({ call }) => {
    const server = await call.startServer({
      ...(await EMBEDDED[place]()),
      WATERSMEET_TURN_HOST: '127.0.0.1',
      WATERSMEET_TLS_SELF_SIGNED: 'true',
    });
    const ana = await call.join('ana');
    const ben = await call.open('ben', { room: ROOM, browser: 'chromium-any-certificate' });
    await useRelaysOnly(ben, url);
    await ben.join();

    await expectAllReceiveAll([ana, ben]);
    const types = await candidateTypes(ben.page);
    expect(types.length).toBeGreaterThan(0);
    expect(new Set(types)).toEqual(new Set(['relay']));
    expect(new Set(await selectedCandidates(ben.page, 'relayProtocol'))).toEqual(new Set([transport]));
    expect(await server.metrics()).toMatch(/watersmeet_turn_relayed_bytes_total{direction="out"} [1-9]/);
  });
}

/** Returns how many relay candidates a browser gathers from this TURN server. */
function relayCandidateCount(page: Page, server: RTCIceServer): Promise<number> {
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
