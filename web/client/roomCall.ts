/** Joins a room of the client's core, and shows it as a `Call`. */
import { effect, signal, untracked } from '@preact/signals-core';
import { generateSecret } from '../src/randomSecret';
import { Room, type RoomOptions } from '../src/room';
import { CallError, type Call, type CallEvents, type CallState, type EndReason, type JoinOptions } from './api';
import type { Participant, Publication, PublishOptions, RemoteMedia, Role, SubscribeOptions } from './api';
import { Emitter } from './emitter';
import { Publications } from './publications';
import { RemoteParticipants, participantStates } from './remoteMedia';

/** Connections of a room to its server; tests replace them. */
type Connections = Pick<RoomOptions, 'createSignalling' | 'createMedia'>;

/** Joins with these connections to the server; `join` of the package has real ones. */
export function joinWith(options: JoinOptions, connections: Connections): Promise<Call> {
  const { room: roomId, name = '', token = '', secret = generateSecret(), onWaiting, signal: abort } = options;
  const emitter = new Emitter<CallEvents>();
  const publications = new Publications(emitter);
  const room = new Room({
    roomId,
    identify: () => ({ displayName: name, token, resume: secret }),
    codec: null,
    tracks: publications,
    saveData: signal(false),
    ...connections,
  });
  return new Promise((resolve, reject) => {
    if (abort?.aborted) return reject(new CallError('aborted', 'The call was given up.'));
    const giveUp = () => room.leave();
    abort?.addEventListener('abort', giveUp);
    let isSettled = false;
    const stop = effect(() => {
      const status = room.status.value;
      const ended = endReason(room);
      if (isSettled) return;
      if (status === 'waiting') untracked(() => onWaiting?.());
      if (status !== 'live' && !ended) return;
      isSettled = true;
      abort?.removeEventListener('abort', giveUp);
      if (ended) reject(ended === 'left' ? new CallError('aborted', 'The call was given up.') : joinError(room, ended));
      else resolve(untracked(() => new RoomCall(room, emitter, publications)));
      queueMicrotask(() => stop());
    });
    room.join();
  });
}

function joinError(room: Room, ended: string): CallError {
  return new CallError(ended, room.failure.value?.message || `The room cannot be joined: ${ended}.`);
}

/** Returns why the room is over; null while it is not. */
function endReason(room: Room): EndReason | null {
  switch (room.status.value) {
    case 'left':
      return 'left';
    case 'removed':
      return room.removal.value ?? 'removed';
    case 'failed':
      return room.failure.value?.code || (room.failure.value?.reason ?? 'unreachable');
    default:
      return null;
  }
}

class RoomCall implements Call {
  private readonly remote: RemoteParticipants;
  /** Heights of the subscribed videos, by producer id. */
  private readonly heights = new Map<string, number>();
  private lastProblem = 0;
  private shownState: CallState = 'connected';
  private shownRole: Role;
  private shownSpeakers: ReadonlySet<string>;

  constructor(
    private readonly core: Room,
    private readonly emitter: Emitter<CallEvents>,
    private readonly publications: Publications,
  ) {
    this.remote = new RemoteParticipants(emitter);
    this.shownRole = core.role.value;
    this.shownSpeakers = core.speakers.marked.value;
    // No video is received until it is subscribed to.
    core.consumers.setShown(this.heights);
    const stop = effect(() => {
      const ended = this.readRoom();
      if (ended) queueMicrotask(() => stop());
    });
  }

  get id(): string {
    return this.core.ownId;
  }

  get room(): string {
    return this.core.id;
  }

  get role(): Role {
    return this.shownRole;
  }

  get state(): CallState {
    return this.shownState;
  }

  get participants(): readonly Participant[] {
    return this.remote.list;
  }

  on<E extends keyof CallEvents>(event: E, listener: (value: CallEvents[E]) => void): () => void {
    return this.emitter.on(event, listener);
  }

  publish(track: MediaStreamTrack, options: PublishOptions = {}): Publication {
    return this.publications.add(track, options);
  }

  subscribe({ id, kind }: RemoteMedia, { height }: SubscribeOptions): void {
    if (kind !== 'video') return;
    this.heights.set(id, Math.max(0, height));
    this.core.consumers.setShown(this.heights);
  }

  leave(): void {
    if (this.shownState !== 'ended') this.core.leave();
  }

  /** Reads all signals of the room of which there are events, and emits those. Returns whether the call is over. */
  private readRoom(): boolean {
    const { core } = this;
    const states = participantStates(core.participants.value);
    const speakers = core.speakers.marked.value;
    const role = core.role.value;
    const ended = endReason(core);
    const isConnected = core.status.value === 'live' && core.connected.value;
    const state: CallState = ended ? 'ended' : isConnected ? 'connected' : 'reconnecting';
    const notifications = core.notifications.value;
    untracked(() => {
      this.remote.update(states);
      this.forgetHeights();
      this.emitProblems(notifications);
      if (this.shownSpeakers !== speakers) this.emitter.emit('speakersChanged', (this.shownSpeakers = speakers));
      if (this.shownRole !== role) this.emitter.emit('roleChanged', (this.shownRole = role));
      if (this.shownState !== state) this.emitter.emit('stateChanged', (this.shownState = state));
      if (ended) this.emitter.emit('ended', ended);
    });
    return ended !== null;
  }

  /** Forgets the subscriptions of producers that are gone; those of a producer that comes again stay. */
  private forgetHeights(): void {
    const producers = new Set(this.core.participants.value.flatMap((it) => it.producers.value.map(({ id }) => id)));
    for (const id of this.heights.keys()) if (!producers.has(id)) this.heights.delete(id);
  }

  private emitProblems(notifications: Room['notifications']['value']): void {
    for (const { id, content } of notifications) {
      if (id <= this.lastProblem) continue;
      this.lastProblem = id;
      if (!('reason' in content)) continue;
      this.emitter.emit('problem', new CallError(content.reason.code, content.reason.message));
    }
  }
}
