/**
 * Six participants in one room, each with a client of another dialect: all exchange audio and
 * video, and each is told in its own dialect when another one leaves.
 */
import type { Page } from '@playwright/test';
import type { Version } from './dialects/clientBundles';
import type { Dialect } from './dialects/client';
import { NIGHTLY } from './callFixture';
import { expectDecoded } from './sharing';
import { SERVER, expect, test, type DialectParticipant } from './dialects/clientFixture';

const ROOM = 'mixed-dialects';

/** Clients in the order of joining. Those that can close a producer do so before they leave. */
const CLIENTS: { name: string; dialect: Dialect; version: Version; closesProducers: boolean }[] = [
  { name: 'rosa', dialect: 'rmm', version: '3.12.5', closesProducers: false },
  { name: 'sven', dialect: 'sfu', version: '3.6.37', closesProducers: false },
  { name: 'mira', dialect: 'meetlite', version: '3.16.7', closesProducers: true },
  { name: 'nora', dialect: 'native', version: 'newest', closesProducers: true },
  { name: 'cyra', dialect: 'call', version: '3.18.7', closesProducers: false },
  { name: 'otto', dialect: 'protoo', version: 'newest', closesProducers: true },
];

test('clients of six dialects share one room; each leaves and rejoins', NIGHTLY, async ({ dialectCall: call }) => {
  await call.startServer({ WATERSMEET_DEFAULT_ROOM: ROOM });
  const participants: DialectParticipant[] = [];
  for (const { name, dialect, version } of CLIENTS) {
    const participant = await call.addParticipant(name, dialect, { version });
    await joinAndPublish(participant);
    participants.push(participant);
  }
  await call.expectAllReceiveAll(participants);

  for (const [at, leaving] of participants.entries()) {
    const others = participants.filter((participant) => participant !== leaving);
    if (CLIENTS[at]?.closesProducers) await call.closeProducerAndExpectNotified(leaving, 'video', others);
    await call.leaveAndExpectNotified(leaving, others);
    await joinAndPublish(leaving);
  }
  await call.expectAllReceiveAll(participants);
  await call.expectNoFailures();
});

test('clients of six dialects join at once and exchange media with the page', async ({ call: pageCall, dialectCall: call }) => {
  call.useServer(await pageCall.startServer({ ...SERVER, JWT_SECRET: call.secret, WATERSMEET_DEFAULT_ROOM: ROOM }));
  const participants: DialectParticipant[] = [];
  for (const { name, dialect, version } of CLIENTS) participants.push(await call.addParticipant(name, dialect, { version }));
  await Promise.all(participants.map(joinAndPublish));
  const nora = participants.find(({ dialect }) => dialect === 'native');
  const before = (await nora?.eventCount()) ?? 0;
  const ana = await pageCall.join('ana', { room: ROOM, options: { width: '320' } });

  const newProducers = async () =>
    ((await nora?.events(before)) ?? []).flatMap(({ event, payload }) => (event === 'newProducer' ? [payload as NewProducer] : []));
  await expect.poll(async () => (await newProducers()).length, { message: 'ana has two producers' }).toBe(2);
  const published = Object.fromEntries((await newProducers()).map(({ kind, producerId }) => [kind, producerId]));
  await call.expectAllReceiveAll(participants, [{ name: 'ana', published }]);

  await expect(ana.page.getByRole('button', { name: 'Participants (7)' })).toBeVisible();
  await expect.poll(() => receivedCounts(ana.page), { timeout: 20_000, message: 'ana receives all six' }).toEqual({ video: 6, audio: 6 });
  await call.expectNoFailures();
});

test("a screen of another dialect's client is a tile beside its face in the page", async ({ call: pageCall, dialectCall: call }) => {
  call.useServer(await pageCall.startServer({ ...SERVER, JWT_SECRET: call.secret, WATERSMEET_DEFAULT_ROOM: ROOM }));
  const mira = await call.addParticipant('mira', 'meetlite', { version: '3.16.7' });
  await joinAndPublish(mira);
  await mira.shareScreen();
  const ana = await pageCall.join('ana', { room: ROOM, options: { camera: '0' } });
  const screen = ana.page.getByLabel(/^Screen shared by mira/);
  await expect(screen).toHaveCount(1);
  const name = (await screen.getAttribute('aria-label'))?.replace('Screen shared by ', '') ?? '';
  await expectDecoded(ana, `${name}'s camera`, 320, 180);
  await expectDecoded(ana, `Screen shared by ${name}`, 320, 180);
  await mira.closeProducer('screen');
  await expect(screen).toHaveCount(0);
  await expectDecoded(ana, `${name}'s camera`, 320, 180);
});

interface NewProducer {
  kind: string;
  producerId: string;
}

/** Returns how many video and audio receivers of a page have decoded media. */
function receivedCounts(page: Page): Promise<{ video: number; audio: number }> {
  return page.evaluate(async () => {
    const counts = { video: 0, audio: 0 };
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        if (report.framesDecoded >= 5) counts.video += 1;
        if (report.totalAudioEnergy >= 1e-5) counts.audio += 1;
      }
    }
    return counts;
  });
}

/** The sfu dialect has no rooms: its clients join the default one. */
async function joinAndPublish(participant: DialectParticipant): Promise<void> {
  await participant.join(participant.dialect === 'sfu' ? null : ROOM);
  await participant.publish();
}
