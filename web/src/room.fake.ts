/** Fake signalling and local tracks for tests of `Room`, and the setup that these tests share. */
import { signal } from '@preact/signals-core';
import { afterEach, beforeEach, vi } from 'vitest';
import type { Device } from './capture';
import { FakeMedia, fakeTrack } from './media.fake';
import type { Notice, Notices, Role, RoomJoined, Waiting } from './protocol';
import { Room } from './room';
import type { LocalScreen } from './screenCapture';
import { Refusal, type SignallingConnection, type SignallingEvents } from './signalling';

/** A server that records requests and grants them, unless `refusals` has an error for the type. */
export class FakeSignalling implements SignallingConnection {
  readonly requests: { type: string; payload: Record<string, unknown> }[] = [];
  readonly refusals = new Map<string, Error>();
  /** Reply to `joinRoom`. */
  joined: RoomJoined | Waiting = { roomId: 'room', peers: [], existingProducers: [] };
  /** Reply to `enterBreakout`. */
  moved: RoomJoined = { roomId: 'room', peers: [], existingProducers: [] };
  /** Reply to `getParticipants`. */
  roles: Record<string, Role> = {};
  /** A waiting participant is admitted after this many refusals of `createTransport`. */
  admitAfterRefusals = Number.POSITIVE_INFINITY;
  /** Calls of `retryNow`. */
  retries = 0;
  /** Secret of `keepSession`. */
  keptSecret = '';
  opened = false;
  closed = false;
  private produced = 0;
  private isInRoom = false;

  constructor(private readonly events: SignallingEvents) {}

  open(): void {
    this.opened = true;
  }

  close(): void {
    this.closed = true;
  }

  retryNow(): void {
    this.retries += 1;
  }

  connect(options: Partial<Notices['connected']> = {}): void {
    this.events.onConnected({ peerId: 'peer_me', ...options });
  }

  disconnect(): void {
    this.events.onDisconnected(100, false);
  }

  /** Loses the connection of a session that can be resumed. */
  suspend(): void {
    this.events.onDisconnected(100, true);
  }

  resume(afterSilence = false): void {
    this.events.onResumed(afterSilence);
  }

  keepSession(secret: string): void {
    this.keptSecret = secret;
  }

  setSilent(silent: boolean): void {
    this.events.onSilence(silent);
  }

  wake(): void {
    this.events.onWake();
  }

  notify<T extends keyof Notices>(type: T, payload: Notices[T]): void {
    if (type === 'admitted') this.isInRoom = true;
    this.events.onNotice({ type, payload } as Notice);
  }

  count(type: string): number {
    return this.requests.filter((request) => request.type === type).length;
  }

  last(type: string): Record<string, unknown> | undefined {
    return this.requests.findLast((request) => request.type === type)?.payload;
  }

  async request(type: string, payload: object): Promise<never> {
    const recorded = payload as Record<string, unknown>;
    this.requests.push({ type, payload: recorded });
    const refusal = this.refusals.get(type);
    if (type === 'joinRoom') this.isInRoom = !refusal && 'peers' in this.joined;
    if (type === 'testConnection') this.isInRoom = !refusal;
    if (refusal) throw refusal;
    if (type === 'createTransport' && !this.isInRoom) {
      this.admitAfterRefusals -= 1;
      this.isInRoom = this.admitAfterRefusals === 0;
      throw new Refusal('Not in a room', 'not-in-room');
    }
    return this.reply(type, recorded) as never;
  }

  private reply(type: string, payload: Record<string, unknown>): object {
    switch (type) {
      case 'getRouterRtpCapabilities':
        return { rtpCapabilities: {} };
      case 'joinRoom':
        return this.joined;
      case 'enterBreakout':
        return this.moved;
      case 'createTransport':
        return { transportId: `transport ${String(payload.direction)}`, direction: payload.direction, iceCandidates: [{ port: 40_000 }] };
      case 'produce':
        this.produced += 1;
        return { producerId: `mine ${this.produced}`, kind: payload.kind };
      case 'consume':
        return {
          consumerId: `consumer of ${String(payload.producerId)}`,
          producerId: payload.producerId,
          kind: String(payload.producerId).includes('voice') ? 'audio' : 'video',
        };
      case 'getParticipants':
        return { participants: Object.entries(this.roles).map(([peerId, role]) => ({ peerId, role })) };
      case 'getConversation':
        return { messages: [], chatPolicy: 'everybody', hands: [], polls: [] };
      case 'restartIce':
        return { transportId: payload.transportId, iceParameters: {} };
      default:
        return {};
    }
  }
}

export const saveData = signal(false);

export const tracks = {
  camera: signal<MediaStreamTrack | null>(null),
  microphone: signal<MediaStreamTrack | null>(null),
  cameraOn: signal(false),
  microphoneOn: signal(false),
  screens: signal<readonly LocalScreen[]>([]),
  switchOff: (device: Device) => void ((device === 'camera' ? tracks.cameraOn : tracks.microphoneOn).value = false),
  stopScreen: (id: string) => void (tracks.screens.value = tracks.screens.value.filter((screen) => screen.id !== id)),
};

export function turnCameraOn(): void {
  tracks.camera.value = fakeTrack('cam');
  tracks.cameraOn.value = true;
}

export function turnMicrophoneOn(): void {
  tracks.microphone.value = fakeTrack('mic');
  tracks.microphoneOn.value = true;
}

/** Shares a screen, with sound if wanted. */
export function shareScreen(id: string, sound = false): void {
  const screen: LocalScreen = { id, video: fakeTrack(id), audio: sound ? fakeTrack(`${id} sound`) : null, mode: 'text' };
  tracks.screens.value = [...tracks.screens.value, screen];
}

function turnDevicesOff(): void {
  tracks.screens.value = [];
  for (const track of [tracks.camera, tracks.microphone]) track.value = null;
  for (const on of [tracks.cameraOn, tracks.microphoneOn]) on.value = false;
}

/** Returns the media of the latest attempt to join. */
export function media(): FakeMedia {
  const last = FakeMedia.all.at(-1);
  if (!last) throw new Error('no media was created');
  return last;
}

/** Runs all microtasks and timers that are due. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** Room of participant Ana with its fake server; both are replaced before each test. */
export class RoomFixture {
  room!: Room;
  server!: FakeSignalling;

  constructor() {
    beforeEach(() => {
      vi.useFakeTimers();
      FakeMedia.all = [];
      turnDevicesOff();
      saveData.value = false;
      this.create();
    });
    afterEach(() => {
      this.room.leave();
      vi.useRealTimers();
    });
  }

  /** Creates a room that is not joined yet. */
  create(options: { codec?: 'vp9'; token?: string; resume?: string } = {}): void {
    this.room = new Room({
      roomId: 'room',
      identify: () => ({ displayName: 'Ana', token: options.token ?? '', resume: options.resume ?? '' }),
      codec: options.codec ?? null,
      tracks,
      saveData,
      createSignalling: (events) => (this.server = new FakeSignalling(events)),
      createMedia: FakeMedia.create,
    });
  }

  /** Joins the room; the server answers with these additions. */
  async join(joined: Partial<RoomJoined> = {}): Promise<void> {
    this.server.joined = { ...this.server.joined, ...joined };
    this.room.join();
    this.server.connect();
    await settle();
  }

  /** Closes the connection and opens it again. */
  async reconnect(): Promise<void> {
    this.server.disconnect();
    this.server.connect();
    await settle();
  }
}

/** A participant who is in the room already, with a camera and a muted microphone. */
export const ben = {
  peers: ['ben'],
  existingProducers: [
    {
      peerId: 'ben',
      displayName: 'Ben',
      producers: [
        { producerId: 'ben face', kind: 'video' as const },
        { producerId: 'ben voice', kind: 'audio' as const, paused: true },
      ],
    },
  ],
};
