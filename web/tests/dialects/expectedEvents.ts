/** What each dialect's server says when somebody goes or a producer ends: the table of docs/protocol.md, for tests. */
import type { Dialect } from './client';
import type { Visitor, Word } from './clientFixture';

interface Words {
  /** Somebody has left. */
  left(gone: Visitor): Word[];
  /** One producer of somebody who stays has ended. */
  closed(owner: Visitor, producerId: string): Word[];
}

export const WORDS: Record<Dialect, Words> = {
  native: {
    left: ({ peerId }) => [{ event: 'peerLeft', payload: { peerId } }],
    closed: ({ peerId }, producerId) => [{ event: 'producerClosed', payload: { peerId, producerId } }],
  },
  sfu: {
    left: (gone) => producersOf(gone).map((producerId) => ({ event: 'delete-producer', payload: { producerId } })),
    closed: (_owner, producerId) => [{ event: 'delete-producer', payload: { producerId } }],
  },
  rmm: {
    left: ({ peerId }) => [{ event: 'peerLeft', payload: { peerId } }],
    closed: (_owner, producerId) => [{ event: 'producerClosed', payload: { producerId } }],
  },
  meetlite: {
    left: ({ peerId }) => [{ event: 'participant-left', payload: { participantId: peerId } }],
    closed: ({ peerId }, producerId) => [
      { event: 'producer-closed', payload: { participantId: peerId, producerId } },
      { event: 'consumer-closed', payload: { participantId: peerId } },
    ],
  },
  call: {
    left: (gone) =>
      producersOf(gone).map((remoteProducerId) => ({ event: 'producer-closed', payload: { remoteProducerId } })),
    closed: (_owner, producerId) => [{ event: 'producer-closed', payload: { remoteProducerId: producerId } }],
  },
  protoo: {
    left: ({ peerId }) => [{ event: 'peerClosed', payload: { peerId } }],
    // Its consumer is named, not its producer: that it is the right one shows in what remains.
    closed: () => [{ event: 'consumerClosed', payload: {} }],
  },
};

function producersOf({ published }: Visitor): string[] {
  return Object.values(published);
}
