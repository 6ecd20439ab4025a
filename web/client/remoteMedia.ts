/** The others and their tracks as the package shows them, and what changed between two states of a room. */
import type { Participant as RoomParticipant } from '../src/participant';
import type { MediaSource } from '../src/protocol';
import type { RemoteProducer } from '../src/remoteProducer';
import type { CallEvents, Participant, RemoteMedia, Role, Source } from './api';
import type { Emitter } from './emitter';

const SOURCES: Record<MediaSource, Source> = {
  mic: 'microphone',
  camera: 'camera',
  screen: 'screen',
  'screen-audio': 'screen-audio',
};

class ListedParticipant implements Participant {
  name = '';
  role: Role = 'speaker';
  interrupted = false;
  readonly received = new Map<string, ReceivedMedia>();

  constructor(readonly id: string) {}

  get media(): readonly RemoteMedia[] {
    return [...this.received.values()];
  }
}

class ReceivedMedia implements RemoteMedia {
  readonly id: string;
  readonly kind: 'audio' | 'video';
  readonly source: Source;

  constructor(
    producer: RemoteProducer,
    readonly track: MediaStreamTrack,
    readonly participant: Participant,
    public muted: boolean,
  ) {
    this.id = producer.id;
    this.kind = producer.kind;
    this.source = SOURCES[producer.source];
  }
}

/** A participant of the room and what arrives of it, at one instant. */
interface ParticipantState {
  id: string;
  name: string;
  role: Role;
  interrupted: boolean;
  received: readonly { producer: RemoteProducer; track: MediaStreamTrack; muted: boolean }[];
}

/** Reads all signals of participants that this file needs. */
export function participantStates(participants: readonly RoomParticipant[]): ParticipantState[] {
  return participants.map(({ id, name, role, interrupted, producers }) => ({
    id,
    name: name.value,
    role: role.value,
    interrupted: interrupted.value,
    received: producers.value.flatMap((producer) => {
      const track = producer.track.value;
      return track ? [{ producer, track, muted: producer.paused.value }] : [];
    }),
  }));
}

export class RemoteParticipants {
  private listed = new Map<string, ListedParticipant>();

  constructor(private readonly emitter: Emitter<CallEvents>) {}

  get list(): readonly Participant[] {
    return [...this.listed.values()];
  }

  /** Takes over a state of the room and emits an event for each difference. */
  update(states: readonly ParticipantState[]): void {
    const before = this.listed;
    this.listed = new Map(states.map(({ id }) => [id, before.get(id) ?? new ListedParticipant(id)]));
    for (const [id, participant] of before) if (!this.listed.has(id)) this.remove(participant);
    for (const state of states) {
      const participant = this.listed.get(state.id);
      if (participant) this.updateParticipant(participant, state, !before.has(state.id));
    }
  }

  private remove(participant: ListedParticipant): void {
    this.updateMedia(participant, []);
    this.emitter.emit('participantLeft', participant);
  }

  private updateParticipant(participant: ListedParticipant, state: ParticipantState, isNew: boolean): void {
    const { name, role, interrupted } = state;
    const isChanged =
      participant.name !== name || participant.role !== role || participant.interrupted !== interrupted;
    Object.assign(participant, { name, role, interrupted });
    if (isNew) this.emitter.emit('participantJoined', participant);
    else if (isChanged) this.emitter.emit('participantChanged', participant);
    this.updateMedia(participant, state.received);
  }

  private updateMedia(participant: ListedParticipant, received: ParticipantState['received']): void {
    const tracks = new Map(received.map(({ producer, track }) => [producer.id, track]));
    for (const [id, media] of participant.received) {
      if (tracks.get(id) === media.track) continue;
      participant.received.delete(id);
      this.emitter.emit('mediaRemoved', media);
    }
    for (const { producer, track, muted } of received) {
      const known = participant.received.get(producer.id);
      const media = known ?? new ReceivedMedia(producer, track, participant, muted);
      const isChanged = media.muted !== muted;
      media.muted = muted;
      if (!known) {
        participant.received.set(producer.id, media);
        this.emitter.emit('mediaAdded', media);
      } else if (isChanged) this.emitter.emit('mediaChanged', media);
    }
  }
}
