/**
 * Every dialect with a real client: three participants exchange audio and video, one joins late,
 * one changes rooms on the same connection, and a producer is closed.
 */
import { VERSIONS, type Version } from './dialects/clientBundles';
import type { Camera, Dialect } from './dialects/client';
import { expect, test, type DialectParticipant, type DialectCall } from './dialects/clientFixture';

interface DialectCase {
  dialect: Dialect;
  version: Version;
  /** Whether the dialect has a message that closes one producer. */
  closesProducers: boolean;
  camera?: Camera;
}

/** Large enough for Chromium to send three encodings. */
const LARGE: Camera = { width: 960, height: 540, frameRate: 10 };

const CASES: DialectCase[] = [
  { dialect: 'native', version: 'newest', closesProducers: true },
  { dialect: 'sfu', version: '3.6.37', closesProducers: false, camera: LARGE },
  { dialect: 'rmm', version: '3.12.5', closesProducers: false },
  { dialect: 'meetlite', version: '3.16.7', closesProducers: true },
  { dialect: 'call', version: '3.18.7', closesProducers: false, camera: LARGE },
  { dialect: 'protoo', version: 'newest', closesProducers: true },
];

for (const dialectCase of CASES) {
  test(`${dialectCase.dialect} with mediasoup-client ${dialectCase.version}: join, publish, receive, leave, rejoin`, async ({ dialectCall: call }) => {
    const { dialect, version, camera } = dialectCase;
    const ana = await call.addParticipant('ana', dialect, { version, camera });
    const ben = await call.addParticipant('ben', dialect, { version, camera });
    for (const participant of [ana, ben]) await joinAndPublish(participant);
    await call.expectAllReceiveAll([ana, ben]);

    const carla = await call.addParticipant('carla', dialect, { version, camera });
    await joinAndPublish(carla);
    await call.expectAllReceiveAll([ana, ben, carla]);
    for (const participant of [ana, ben, carla]) expect(await participant.transportName()).toBe('websocket');

    await call.leaveAndExpectNotified(ben, [ana, carla]);

    // Into another room on the same connection, and back.
    await call.leaveAndExpectNotified(carla, [ana], () => carla.join('elsewhere'));
    await joinAndPublish(carla);
    await call.expectAllReceiveAll([ana, carla]);

    // Joins the same room again without leaving it.
    await joinAndPublish(carla);
    await call.expectAllReceiveAll([ana, carla]);

    await closeOneCamera(call, dialectCase, ana, carla);
    await call.expectNoFailures();
  });
}

for (const dialect of ['native', 'rmm'] as const) {
  test(`${dialect} with every version of mediasoup-client at once`, async ({ dialectCall: call }) => {
    const participants = [];
    for (const version of Object.keys(VERSIONS) as Version[]) {
      const participant = await call.addParticipant(`v${version}`, dialect, { version });
      await joinAndPublish(participant);
      participants.push(participant);
    }
    await call.expectAllReceiveAll(participants);
    await call.expectNoFailures();
  });
}

for (const dialect of ['rmm', 'call'] as const) {
  test(`${dialect} over long-polling only`, async ({ dialectCall: call }) => {
    const ana = await call.addParticipant('ana', dialect, { pollingOnly: true });
    const ben = await call.addParticipant('ben', dialect);
    for (const participant of [ana, ben]) await joinAndPublish(participant);
    await call.expectAllReceiveAll([ana, ben]);
    expect(await ana.transportName()).toBe('polling');
    await call.leaveAndExpectNotified(ben, [ana]);
    await call.expectNoFailures();
  });
}

test('clients of both tutorials meet in the namespace /mediasoup', async ({ dialectCall: call }) => {
  const ana = await call.addParticipant('ana', 'sfu', { namespace: '/mediasoup' });
  const ben = await call.addParticipant('ben', 'call', { namespace: '/mediasoup' });
  for (const participant of [ana, ben]) await joinAndPublish(participant);
  await call.expectAllReceiveAll([ana, ben]);
  await call.leaveAndExpectNotified(ana, [ben]);
  await call.expectNoFailures();
});

for (const firstEvent of ['getRtpCapabilities', 'createRoom']) {
  test(`tutorial clients that begin with ${firstEvent} receive without naming a producer`, async ({ dialectCall: call }) => {
    const ana = await call.addParticipant('ana', 'tutorial', { firstEvent });
    await joinAndPublish(ana);
    // The page of the first part shows its own picture.
    expect(await ana.receive()).toBe(ana.published.video);
    await ana.expectPictures(ana.published.video ?? '');
    const ben = await call.addParticipant('ben', 'tutorial', { firstEvent, version: '3.16.7' });
    await ben.join(null);
    expect(await ben.receive()).toBe(ana.published.video);
    await ben.expectPictures(ana.published.video ?? '');
    await ben.publish();
    // A second click receives the other's.
    expect(await ana.receive()).toBe(ben.published.video);
    await ana.expectPictures(ben.published.video ?? '');
    await call.expectNoFailures();
  });
}

test('protoo: the second connection of a peer id replaces the first', async ({ dialectCall: call }) => {
  const ana = await call.addParticipant('ana', 'protoo');
  const first = await call.addParticipant('first', 'protoo', { userId: 'ben-1234' });
  for (const participant of [ana, first]) await joinAndPublish(participant);
  await call.expectAllReceiveAll([ana, first]);
  const described = { id: 'ben-1234', displayName: 'first', device: { name: 'test client' } };
  await ana.expectEvents([{ event: 'newPeer', payload: described }], 0);
  const second = await call.addParticipant('second', 'protoo', { userId: 'ben-1234' });
  await call.leaveAndExpectNotified(first, [ana], () => joinAndPublish(second));
  await call.expectAllReceiveAll([ana, second]);
});

test('meetlite: the second tab of a user replaces the first', async ({ dialectCall: call }) => {
  const ana = await call.addParticipant('ana', 'meetlite');
  const first = await call.addParticipant('first', 'meetlite', { userId: 'ben' });
  for (const participant of [ana, first]) await joinAndPublish(participant);
  await call.expectAllReceiveAll([ana, first]);
  const second = await call.addParticipant('second', 'meetlite', { userId: 'ben' });
  await call.leaveAndExpectNotified(first, [ana], () => joinAndPublish(second));
  await call.expectAllReceiveAll([ana, second]);
});

test('meetlite: a screen is distinguished from a camera and closes alone', async ({ dialectCall: call }) => {
  const participants: DialectParticipant[] = [];
  for (const [name, dialect] of [['ana', 'meetlite'], ['ben', 'meetlite'], ['nora', 'native']] as const) {
    const participant = await call.addParticipant(name, dialect);
    await joinAndPublish(participant);
    participants.push(participant);
  }
  const [ana, ben, nora] = participants as [DialectParticipant, DialectParticipant, DialectParticipant];
  await ana.shareScreen();
  const producerId = ana.published.screen;
  await ben.expectEvents([{ event: 'new-consumer', payload: { producerId, kind: 'video', mediaType: 'screen-video' } }], 0);
  await nora.expectEvents([{ event: 'newProducer', payload: { producerId, kind: 'video' } }], 0);
  await call.expectAllReceiveAll(participants);
  await call.closeProducerAndExpectNotified(ana, 'screen', [ben, nora]);
  await call.expectAllReceiveAll(participants);
  await call.expectNoFailures();
});

test('rmm: guests join through an invitation link, and nobody without one', async ({ dialectCall: call }) => {
  await call.startServer({ WATERSMEET_ROOM_POLICY: 'invite-only' });
  const headers = { 'content-type': 'application/json' };
  const created = await fetch(`${call.url}/api/rooms`, { method: 'POST', headers, body: JSON.stringify({ hostName: 'Ana' }) });
  const { roomId, inviteLink } = (await created.json()) as { roomId: string; inviteLink: string };
  const token = new URL(inviteLink).searchParams.get('token') ?? '';

  const participants: DialectParticipant[] = [];
  for (const name of ['ana', 'ben']) {
    const guest = await call.addParticipant(name, 'rmm', { token });
    await guest.join(roomId);
    await guest.publish();
    participants.push(guest);
  }
  await call.expectAllReceiveAll(participants);
  const stranger = await call.addParticipant('stranger', 'rmm');
  await expect(stranger.join(roomId)).rejects.toThrow('Invalid invite token');
  await call.expectNoFailures();
});

async function joinAndPublish(participant: DialectParticipant): Promise<void> {
  await participant.join('tea-at-four');
  await participant.publish();
}

/** Closes a camera producer: of a client of the dialect, or, where it has no message for that, of a native one. */
async function closeOneCamera(call: DialectCall, dialectCase: DialectCase, ana: DialectParticipant, carla: DialectParticipant): Promise<void> {
  const participants = [ana, carla];
  let owner = carla;
  if (!dialectCase.closesProducers) {
    owner = await call.addParticipant('nora', 'native');
    await joinAndPublish(owner);
    participants.push(owner);
    await call.expectAllReceiveAll(participants);
  }
  await call.closeProducerAndExpectNotified(owner, 'video', participants.filter((participant) => participant !== owner));
  await call.expectAllReceiveAll(participants);
}
