/** Events of each dialect when a participant leaves or a producer closes, after the table in docs/protocol.md. */
import type { Dialect, ExpectedEvent, PublishedIds } from './client';

interface Participant {
  readonly peerId: string;
  readonly published: PublishedIds;
}

interface DialectEvents {
  participantLeft(participant: Participant): ExpectedEvent[];
  /** A participant who stays has closed one producer. */
  producerClosed(owner: Participant, producerId: string): ExpectedEvent[];
}

export const EXPECTED_EVENTS: Record<Dialect, DialectEvents> = {
  native: {
    participantLeft: ({ peerId }) => [{ event: 'peerLeft', payload: { peerId } }],
    // Only clients with request ids get `producerClosed`, and the test client has none.
    producerClosed: () => [],
  },
  sfu: {
    participantLeft: (participant) =>
      producerIdsOf(participant).map((producerId) => ({ event: 'delete-producer', payload: { producerId } })),
    producerClosed: (_owner, producerId) => [{ event: 'delete-producer', payload: { producerId } }],
  },
  tutorial: {
    participantLeft: () => [],
    producerClosed: () => [],
  },
  rmm: {
    participantLeft: ({ peerId }) => [{ event: 'peerLeft', payload: { peerId } }],
    producerClosed: (_owner, producerId) => [{ event: 'producerClosed', payload: { producerId } }],
  },
  meetlite: {
    participantLeft: ({ peerId }) => [{ event: 'participant-left', payload: { participantId: peerId } }],
    producerClosed: ({ peerId }, producerId) => [
      { event: 'producer-closed', payload: { participantId: peerId, producerId } },
      { event: 'consumer-closed', payload: { participantId: peerId } },
    ],
  },
  call: {
    participantLeft: (participant) =>
      producerIdsOf(participant).map((id) => ({ event: 'producer-closed', payload: { remoteProducerId: id } })),
    producerClosed: (_owner, producerId) => [{ event: 'producer-closed', payload: { remoteProducerId: producerId } }],
  },
  protoo: {
    participantLeft: ({ peerId }) => [{ event: 'peerClosed', payload: { peerId } }],
    // The event names the consumer, not the producer; the remaining consumers show that it was the right one.
    producerClosed: () => [{ event: 'consumerClosed', payload: {} }],
  },
};

function producerIdsOf({ published }: Participant): string[] {
  return Object.values(published);
}
