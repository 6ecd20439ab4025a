/** The messages of the embedded page, with a fake page and a fake frame. */
import { signal } from '@preact/signals-core';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { DeviceError } from './capture';
import { Embedding, type EmbeddedApp, type EmbeddingEvent } from './embedding';
import { Participant } from './participant';
import type { RemovalReason } from './protocol';
import type { JoinFailure, Status } from './room';

const SITE = 'https://app.example.org';

let app: ReturnType<typeof fakeApp>;
let received: { watersmeet: number; event: EmbeddingEvent['event']; [field: string]: unknown }[];
let origins: Set<string>;
let deliver: (message: Partial<MessageEvent>) => void;
const parent = { postMessage: (message: (typeof received)[number], origin: string) => void (received.push(message), origins.add(origin)) };

function fakeRoom(status: Status) {
  return {
    ownId: 'peer_me',
    role: signal('speaker'),
    status: signal(status),
    participants: signal<Participant[]>([]),
  };
}

function fakeApp() {
  const room = signal<ReturnType<typeof fakeRoom> | null>(null);
  const [cameraOn, microphoneOn] = [signal(true), signal(true)];
  return {
    page: signal<'lobby' | 'call' | 'left'>('lobby'),
    room,
    roomId: signal('tea'),
    name: signal(''),
    failure: signal<JoinFailure | null>(null),
    removal: signal<RemovalReason | null>(null),
    cameraLive: cameraOn,
    microphoneLive: microphoneOn,
    capture: {
      cameraError: signal<DeviceError | null>(null),
      microphoneError: signal<DeviceError | null>(null),
      failureCount: signal(0),
    },
    screens: { screens: signal<object[]>([]), stopAll: () => void (app.screens.screens.value = []) },
    toggle: (device: string) => {
      const on = device === 'camera' ? cameraOn : microphoneOn;
      on.value = !on.value;
    },
    shareScreen: vi.fn(async () => undefined as void),
    join: vi.fn(async () => {
      room.value = fakeRoom('live');
      app.page.value = 'call';
    }),
    leave: () => {
      room.value = null;
      app.page.value = 'left';
    },
  };
}

beforeEach(() => {
  app = fakeApp();
  [received, origins] = [[], new Set()];
  const frame = {
    parent,
    addEventListener: (_type: string, listener: (event: MessageEvent) => void) => (deliver = listener as never),
  };
  new Embedding(app as unknown as EmbeddedApp, SITE, frame as never).start();
});

const command = (data: object) => deliver({ origin: SITE, source: parent as never, data: { watersmeet: 1, ...data } });
const events = () => received.map(({ event }) => event);
/** Returns the events since the last call. */
const take = () => received.splice(0).map(({ watersmeet: _, ...event }) => event);

test('what is told carries the version, and goes to the named origin only', () => {
  command({ command: 'join' });
  expect(take()).toEqual([
    { event: 'ready', room: 'tea' },
    { event: 'media', microphone: true, camera: true, screens: 0 },
    { event: 'joined', room: 'tea', id: 'peer_me' },
    { event: 'participants', participants: [] },
  ]);
  expect([...origins]).toEqual([SITE]);
  app.leave();
  expect(received).toEqual([{ watersmeet: 1, event: 'left', reason: 'left' }]);
});

describe('messages', () => {
  test.each([
    ['of another origin', { origin: 'https://evil.example', source: parent as never }],
    ['of another window', { origin: SITE, source: {} as never }],
  ])('%s are ignored', (_, sender) => {
    take();
    deliver({ ...sender, data: { watersmeet: 1, command: 'join' } });
    expect(app.join).not.toHaveBeenCalled();
    expect(received).toEqual([]);
  });

  test('for others are ignored, and unknown commands are told', () => {
    take();
    for (const data of ['join', null, { command: 'join' }]) deliver({ origin: SITE, source: parent as never, data });
    expect(received).toEqual([]);
    command({ command: 'explode' });
    command({ watersmeet: 2, command: 'join' });
    expect(take().map(({ code }) => code)).toEqual(['unknown-command', 'unknown-command']);
    expect(app.join).not.toHaveBeenCalled();
  });
});

describe('commands', () => {
  test('switch devices on and off, and no more than that', () => {
    command({ command: 'join', name: 'Ana' });
    expect(app.name.value).toBe('Ana');
    for (const name of ['mute', 'mute', 'stopCamera']) command({ command: name });
    expect([app.microphoneLive.value, app.cameraLive.value]).toEqual([false, false]);
    for (const name of ['unmute', 'startCamera', 'startCamera']) command({ command: name });
    expect([app.microphoneLive.value, app.cameraLive.value]).toEqual([true, true]);
    expect(events().filter((event) => event === 'media').length).toBe(5);
    command({ command: 'hangUp' });
    expect(app.page.value).toBe('left');
  });

  test('that make no sense now are told', async () => {
    take();
    command({ command: 'mute' });
    app.roomId.value = '';
    command({ command: 'join' });
    app.roomId.value = 'tea';
    command({ command: 'join' });
    take();
    command({ command: 'join' });
    if (app.room.value) app.room.value.role.value = 'viewer';
    command({ command: 'unmute' });
    expect(take().map(({ code }) => code)).toEqual(['already-joined', 'forbidden']);
  });

  test('share a screen, or tell that none was shared', async () => {
    command({ command: 'join' });
    take();
    command({ command: 'startShare' });
    await vi.waitFor(() => expect(take()).toMatchObject([{ event: 'error', code: 'not-shared' }]));
    app.shareScreen.mockImplementation(async () => void (app.screens.screens.value = [{}]));
    command({ command: 'startShare' });
    await vi.waitFor(() => expect(take()).toMatchObject([{ event: 'media', screens: 1 }]));
    command({ command: 'stopShare' });
    expect(take()).toMatchObject([{ event: 'media', screens: 0 }]);
  });
});

describe('what happens', () => {
  test('participants are told as they change, and again in the next call', () => {
    command({ command: 'join' });
    take();
    const ben = new Participant('ben');
    ben.name.value = 'Ben';
    if (app.room.value) app.room.value.participants.value = [ben];
    const told = { event: 'participants', participants: [{ id: 'ben', name: 'Ben', microphone: false, camera: false, screens: 0 }] };
    expect(take()).toEqual([told]);
    ben.interrupted.value = true;
    expect(take()).toEqual([]);
    command({ command: 'hangUp' });
    const next = fakeRoom('live');
    next.participants.value = [ben];
    app.room.value = next;
    app.page.value = 'call';
    expect(take()).toEqual([{ event: 'left', reason: 'left' }, { event: 'joined', room: 'tea', id: 'peer_me' }, told]);
  });

  test('a removal is the reason for leaving', () => {
    command({ command: 'join' });
    take();
    app.removal.value = 'ended';
    app.page.value = 'left';
    expect(take()).toEqual([{ event: 'left', reason: 'ended' }]);
  });

  test('an attempt that fails is an error and no call', () => {
    app.room.value = fakeRoom('joining');
    app.page.value = 'call';
    take();
    app.failure.value = { reason: 'refused', code: 'room-locked', message: 'This room is locked' };
    app.page.value = 'lobby';
    expect(take()).toEqual([{ event: 'error', code: 'room-locked', message: 'This room is locked' }]);
  });

  test('a device that fails is told each time', () => {
    take();
    app.capture.failureCount.value = 1;
    app.capture.cameraError.value = 'denied';
    app.capture.failureCount.value = 2;
    expect(take().map(({ code }) => code)).toEqual(['camera-denied', 'camera-denied']);
  });
});
