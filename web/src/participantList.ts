/** The other participants of a room and their producers, as the server's snapshots and notices state them. */
import { batch, signal } from '@preact/signals-core';
import { Participant } from './participant';
import { RemoteProducer } from './remoteProducer';
import type { Notice, Notices, ParticipantSummary, ProducerSummary, RoomJoined } from './protocol';

/** Within this time after a snapshot, participants who are missing in it may come back as others do. */
const RETURN_MS_MAX = 30_000;

export class ParticipantList {
  /** The other participants, in the order in which they joined. */
  readonly participants = signal<Participant[]>([]);
  /** Whether somebody else was in the room since we came. */
  readonly hadOthers = signal(false);
  /** Number of everybody in the room, where the server does not list all of them; else 0. */
  readonly participantCount = signal(0);
  /** Names of those who are missing in the latest snapshot, and until when they are expected back. */
  private missing = { names: [] as string[], untilMs: 0 };

  /** Number of participants who are in the room and not in `participants`. */
  get unlistedCount(): number {
    return Math.max(0, this.participantCount.value - this.participants.value.length - 1);
  }

  /** Replaces the participants by those of the snapshot; known ones keep their place on the screen. */
  applySnapshot(joined: RoomJoined): void {
    const known = new Map(this.participants.value.map((participant) => [participant.id, participant]));
    const participants = joined.peers.map((id) => known.get(id) ?? new Participant(id));
    const byId = new Map(participants.map((participant) => [participant.id, participant]));
    batch(() => {
      for (const { peerId, displayName, role, interrupted } of joined.participants ?? []) {
        const participant = byId.get(peerId);
        if (!participant) continue;
        participant.name.value = displayName ?? participant.name.value;
        participant.role.value = role;
        participant.interrupted.value = interrupted === true;
      }
      const summaries = new Map(joined.existingProducers.map((it) => [it.peerId, it]));
      for (const participant of participants) {
        const { displayName, producers = [] } = summaries.get(participant.id) ?? {};
        participant.name.value = displayName ?? participant.name.value;
        participant.producers.value = producers.map((summary) => knownProducer(participant, summary));
      }
      this.recordMissing(participants);
      const previousIndex = new Map(this.participants.value.map(({ id }, index) => [id, index]));
      const index = ({ id }: Participant) => previousIndex.get(id) ?? Number.MAX_SAFE_INTEGER;
      this.participants.value = participants.sort((a, b) => index(a) - index(b));
      this.hadOthers.value ||= participants.length > 0;
      this.participantCount.value = joined.participantCount ?? 0;
    });
  }

  /** After a restart of the server everybody comes back with another id, one after the other. */
  private recordMissing(participants: readonly Participant[]): void {
    const present = participants.map(({ name }) => name.value);
    const names = this.participants.value.map(({ name }) => name.value).filter((name) => !present.includes(name));
    this.missing = { names, untilMs: Date.now() + RETURN_MS_MAX };
  }

  /** Whether a participant was here before the latest snapshot, and is only back; once for each. */
  takeReturning({ displayName = '' }: Notices['newPeer']): boolean {
    const { names, untilMs } = this.missing;
    const index = names.indexOf(displayName);
    if (index === -1 || Date.now() > untilMs) return false;
    names.splice(index, 1);
    return true;
  }

  updateRoles(summaries: ParticipantSummary[]): void {
    const roles = new Map(summaries.map(({ peerId, role }) => [peerId, role]));
    for (const { id, role } of this.participants.value) role.value = roles.get(id) ?? role.value;
  }

  /** Adds a participant, or updates the name of a known one. Returns whether it is new. */
  add({ peerId, displayName, role }: Notices['newPeer']): boolean {
    const existing = this.byId(peerId);
    const participant = existing ?? new Participant(peerId);
    participant.name.value = displayName ?? participant.name.value;
    participant.role.value = role ?? (existing ? participant.role.value : 'speaker');
    if (!existing) this.participants.value = [...this.participants.value, participant];
    this.hadOthers.value = true;
    return !existing;
  }

  handleNotice({ type, payload }: Notice): void {
    if (type === 'producerPaused') this.setProducerPaused(payload.producerId, true);
    else if (type === 'producerResumed') this.setProducerPaused(payload.producerId, false);
    else if (type === 'interruptionChanged') this.setInterrupted(payload);
    else if (type === 'participantCount') this.participantCount.value = payload.count;
  }

  private setInterrupted({ peerId, interrupted }: Notices['interruptionChanged']): void {
    const participant = this.byId(peerId);
    if (participant) participant.interrupted.value = interrupted;
  }

  remove(participant: Participant): void {
    this.participants.value = this.participants.value.filter((other) => other !== participant);
  }

  clear(): void {
    this.missing.names = [];
    this.participants.value = [];
    this.hadOthers.value = false;
  }

  addProducer(peerId: string, summary: ProducerSummary): void {
    const participant = this.byId(peerId);
    if (!participant || participant.producer(summary.producerId)) return;
    participant.producers.value = [...participant.producers.value, new RemoteProducer(summary)];
  }

  removeProducer(producerId: string): void {
    const participant = this.ownerOf(producerId);
    if (participant) participant.producers.value = participant.producers.value.filter(({ id }) => id !== producerId);
  }

  private setProducerPaused(producerId: string, paused: boolean): void {
    const producer = this.producer(producerId);
    if (producer) producer.paused.value = paused;
  }

  /** Everything that the others send. */
  producers(): RemoteProducer[] {
    return this.participants.value.flatMap(({ producers }) => producers.value);
  }

  producer(producerId: string): RemoteProducer | undefined {
    return this.ownerOf(producerId)?.producer(producerId);
  }

  byId(id: string): Participant | undefined {
    return this.participants.value.find((participant) => participant.id === id);
  }

  ownerOf(producerId: string): Participant | undefined {
    return this.participants.value.find((participant) => participant.producer(producerId));
  }
}

/** Returns the producer of a summary: the known one, with its state, or a new one. */
function knownProducer(participant: Participant, summary: ProducerSummary): RemoteProducer {
  const known = participant.producer(summary.producerId);
  if (known) known.paused.value = summary.paused === true;
  return known ?? new RemoteProducer(summary);
}
