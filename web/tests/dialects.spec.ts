/**
 * Every dialect with a real client of it: three people publish camera and
 * microphone and receive each other, one comes late, one leaves and comes back
 * on the connection it has, a producer is removed.
 */
import { VERSIONS, type Version } from './dialects/clientBundles';
import type { Camera, Dialect } from './dialects/client';
import { expect, test, type Visitor, type Visitors } from './dialects/clientFixture';

interface Way {
  dialect: Dialect;
  version: Version;
  /** Whether its client has a word for ending one producer. */
  closes: boolean;
  camera?: Camera;
}

/** Large enough for Chromium to send three encodings. */
const LARGE: Camera = { width: 960, height: 540, frameRate: 10 };

const WAYS: Way[] = [
  { dialect: 'native', version: 'newest', closes: true },
  { dialect: 'sfu', version: '3.6.37', closes: false, camera: LARGE },
  { dialect: 'rmm', version: '3.12.5', closes: false },
  { dialect: 'meetlite', version: '3.16.7', closes: true },
  { dialect: 'call', version: '3.18.7', closes: false, camera: LARGE },
  { dialect: 'protoo', version: 'newest', closes: true },
];

for (const way of WAYS) {
  test(`${way.dialect} with mediasoup-client ${way.version}: join, publish, receive, leave, come back`, async ({ visitors }) => {
    const { dialect, version, camera } = way;
    const ana = await visitors.comes('ana', dialect, { version, camera });
    const ben = await visitors.comes('ben', dialect, { version, camera });
    for (const person of [ana, ben]) await arrives(person);
    await visitors.allMeet([ana, ben]);

    const carla = await visitors.comes('carla', dialect, { version, camera });
    await arrives(carla);
    await visitors.allMeet([ana, ben, carla]);
    for (const person of [ana, ben, carla]) expect(await person.carrier()).toBe('websocket');

    await visitors.goes(ben, [ana, carla]);

    // Another room, on the connection there is, and back.
    await visitors.goes(carla, [ana], () => carla.enters('elsewhere'));
    await arrives(carla);
    await visitors.allMeet([ana, carla]);

    // The same room once more, without leaving it.
    await arrives(carla);
    await visitors.allMeet([ana, carla]);

    await removal(visitors, way, ana, carla);
    await visitors.nobodyFailed();
  });
}

for (const dialect of ['native', 'rmm'] as const) {
  test(`${dialect} with every version of mediasoup-client at once`, async ({ visitors }) => {
    const there = [];
    for (const version of Object.keys(VERSIONS) as Version[]) {
      const person = await visitors.comes(`v${version}`, dialect, { version });
      await arrives(person);
      there.push(person);
    }
    await visitors.allMeet(there);
    await visitors.nobodyFailed();
  });
}

for (const dialect of ['rmm', 'call'] as const) {
  test(`${dialect} over long-polling alone`, async ({ visitors }) => {
    const ana = await visitors.comes('ana', dialect, { pollingOnly: true });
    const ben = await visitors.comes('ben', dialect);
    for (const person of [ana, ben]) await arrives(person);
    await visitors.allMeet([ana, ben]);
    expect(await ana.carrier()).toBe('polling');
    await visitors.goes(ben, [ana]);
    await visitors.nobodyFailed();
  });
}

test('clients of both tutorials meet in the namespace /mediasoup', async ({ visitors }) => {
  const ana = await visitors.comes('ana', 'sfu', { namespace: '/mediasoup' });
  const ben = await visitors.comes('ben', 'call', { namespace: '/mediasoup' });
  for (const person of [ana, ben]) await arrives(person);
  await visitors.allMeet([ana, ben]);
  await visitors.goes(ana, [ben]);
  await visitors.nobodyFailed();
});

test('meetlite: the second tab of a user takes the place of the first', async ({ visitors }) => {
  const ana = await visitors.comes('ana', 'meetlite');
  const first = await visitors.comes('first', 'meetlite', { as: 'ben' });
  for (const person of [ana, first]) await arrives(person);
  await visitors.allMeet([ana, first]);
  const second = await visitors.comes('second', 'meetlite', { as: 'ben' });
  await visitors.goes(first, [ana], () => arrives(second));
  await visitors.allMeet([ana, second]);
});

test('meetlite: a screen is told from a camera, and ends alone', async ({ visitors }) => {
  const there: Visitor[] = [];
  for (const [name, dialect] of [['ana', 'meetlite'], ['ben', 'meetlite'], ['nora', 'native']] as const) {
    const person = await visitors.comes(name, dialect);
    await arrives(person);
    there.push(person);
  }
  const [ana, ben, nora] = there as [Visitor, Visitor, Visitor];
  await ana.shares();
  const producerId = ana.published.screen;
  await ben.hearsThat([{ event: 'new-consumer', payload: { producerId, kind: 'video', mediaType: 'screen-video' } }], 0);
  await nora.hearsThat([{ event: 'newProducer', payload: { producerId, kind: 'video' } }], 0);
  await visitors.allMeet(there);
  await visitors.removes(ana, 'screen', [ben, nora]);
  await visitors.allMeet(there);
  await visitors.nobodyFailed();
});

test('rmm: a guest comes by the link of an invitation, and nobody without one', async ({ visitors }) => {
  await visitors.meetAt({ WATERSMEET_ROOM_POLICY: 'invite-only' });
  const headers = { 'content-type': 'application/json' };
  const made = await fetch(`${visitors.url}/api/rooms`, { method: 'POST', headers, body: JSON.stringify({ hostName: 'Ana' }) });
  const { roomId, inviteLink } = (await made.json()) as { roomId: string; inviteLink: string };
  const token = new URL(inviteLink).searchParams.get('token') ?? '';

  const there: Visitor[] = [];
  for (const name of ['ana', 'ben']) {
    const guest = await visitors.comes(name, 'rmm', { token });
    await guest.enters(roomId);
    await guest.publishes();
    there.push(guest);
  }
  await visitors.allMeet(there);
  const stranger = await visitors.comes('stranger', 'rmm');
  await expect(stranger.enters(roomId)).rejects.toThrow('Invalid invite token');
  await visitors.nobodyFailed();
});

async function arrives(person: Visitor): Promise<void> {
  await person.enters('tea-at-four');
  await person.publishes();
}

/** One camera is taken away: by a client of the dialect, or where it has no word for that, by a native one. */
async function removal(visitors: Visitors, way: Way, ana: Visitor, carla: Visitor): Promise<void> {
  const there = [ana, carla];
  let owner = carla;
  if (!way.closes) {
    owner = await visitors.comes('nora', 'native');
    await arrives(owner);
    there.push(owner);
    await visitors.allMeet(there);
  }
  await visitors.removes(owner, 'video', there.filter((person) => person !== owner));
  await visitors.allMeet(there);
}
