/** The room's surroundings, for tests: a line to a server that is not there, devices that are none. */
import { signal } from '@preact/signals';
import type { Device } from './capture';
import { FakeMedia, fakeTrack } from './media.fake';
import type { Notice, Notices, Role, RoomJoined, RoomLeft } from './protocol';
import { Room, type Line } from './room';
import type { SocketEvents } from './socket';

/** A server that says yes, remembers what it was asked, and can be told to say no. */
export class FakeLine implements Line {
  readonly asked: { type: string; payload: Record<string, unknown> }[] = [];
  readonly refuse = new Map<string, Error>();
  joined: RoomJoined | RoomLeft = { roomId: 'room', peers: [], existingProducers: [] };
  roles: Record<string, Role> = {};
  opened = false;
  closed = false;
  private produced = 0;

  constructor(private readonly events: SocketEvents) {}

  open(): void {
    this.opened = true;
  }

  close(): void {
    this.closed = true;
  }

  retryNow(): void {}

  up(options: Partial<Notices['connected']> = {}): void {
    this.events.up({ peerId: 'peer_me', ...options });
  }

  down(): void {
    this.events.down(100);
  }

  tell<T extends keyof Notices>(type: T, payload: Notices[T]): void {
    this.events.notice({ type, payload } as Notice);
  }

  count(type: string): number {
    return this.asked.filter((one) => one.type === type).length;
  }

  last(type: string): Record<string, unknown> | undefined {
    return this.asked.findLast((one) => one.type === type)?.payload;
  }

  async request(type: string, payload: object): Promise<never> {
    const known = payload as Record<string, unknown>;
    this.asked.push({ type, payload: known });
    const refusal = this.refuse.get(type);
    if (refusal) throw refusal;
    return this.answer(type, known) as never;
  }

  private answer(type: string, payload: Record<string, unknown>): object {
    switch (type) {
      case 'getRouterRtpCapabilities':
        return { rtpCapabilities: {} };
      case 'joinRoom':
        return this.joined;
      case 'createTransport':
        return { transportId: `transport ${String(payload.direction)}`, direction: payload.direction };
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
      case 'restartIce':
        return { transportId: payload.transportId, iceParameters: {} };
      default:
        return {};
    }
  }
}

export const tracks = {
  camera: signal<MediaStreamTrack | null>(null),
  microphone: signal<MediaStreamTrack | null>(null),
  cameraOn: signal(false),
  microphoneOn: signal(false),
  silence: (device: Device) => void ((device === 'camera' ? tracks.cameraOn : tracks.microphoneOn).value = false),
};

/** Switches every device off, as before a test. */
export function forgetTracks(): void {
  for (const one of [tracks.camera, tracks.microphone]) one.value = null;
  for (const one of [tracks.cameraOn, tracks.microphoneOn]) one.value = false;
}

export function cameraOn(id = 'cam'): void {
  tracks.camera.value = fakeTrack(id);
  tracks.cameraOn.value = true;
}

/** A room of Ana's, not joined yet, and its line. */
export function makeRoom(options: { codec?: 'vp9'; token?: string } = {}): { room: Room; line: FakeLine } {
  let line: FakeLine | undefined;
  const room = new Room({
    roomId: 'room',
    displayName: 'Ana',
    token: options.token ?? '',
    codec: options.codec ?? null,
    tracks,
    openLine: (events) => (line = new FakeLine(events)),
    openMedia: FakeMedia.open,
  });
  if (!line) throw new Error('the room opened no line');
  return { room, line };
}

/** The media of the latest entry. */
export function media(): FakeMedia {
  const last = FakeMedia.all.at(-1);
  if (!last) throw new Error('no media was opened');
  return last;
}

/** Somebody who is there already, with a camera and a muted microphone. */
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
