/** Raised hands of a room, in the order in which they were raised. */
import { computed, signal } from '@preact/signals-core';
import { named, type Named } from './notifications';
import type { HandRaised } from './protocol';
import { reportRefusal, type RoomSignalling } from './signalling';

export interface RaisedHand {
  owner: Named;
  /** Place in the server's order. */
  number: number;
  isOwn: boolean;
}

export class RaisedHands {
  /** First raised first. */
  readonly hands = signal<readonly RaisedHand[]>([]);
  readonly isOwnRaised = computed(() => this.hands.value.some(({ isOwn }) => isOwn));
  private ownId = '';

  constructor(private readonly signalling: RoomSignalling) {}

  /** Place of a participant in the order, from 1; 0 without a raised hand. */
  placeOf(id: string): number {
    return this.hands.value.findIndex(({ owner }) => owner.id === id) + 1;
  }

  toggle(): void {
    this.request({ raised: !this.isOwnRaised.value });
  }

  /** Lowers the hand of somebody; only hosts may do that to others. */
  lower({ owner, isOwn }: RaisedHand): void {
    this.request(isOwn ? { raised: false } : { raised: false, peerId: owner.id });
  }

  applyConversation(hands: readonly HandRaised[], ownId: string): void {
    this.ownId = ownId;
    this.hands.value = hands.map((hand) => this.received(hand)).sort(byNumber);
  }

  /** Adds a hand. Returns whether it is new. */
  handleRaised(raised: HandRaised): boolean {
    const isNew = this.placeOf(raised.peerId) === 0;
    this.handleLowered(raised.peerId);
    this.hands.value = [...this.hands.value, this.received(raised)].sort(byNumber);
    return isNew;
  }

  handleLowered(peerId: string): void {
    this.hands.value = this.hands.value.filter(({ owner }) => owner.id !== peerId);
  }

  private received(hand: HandRaised): RaisedHand {
    return { owner: named(hand), number: hand.number, isOwn: hand.peerId === this.ownId };
  }

  private request(payload: { raised: boolean; peerId?: string }): void {
    this.signalling.request('setHand', payload).catch((error: unknown) => reportRefusal(this.signalling, error));
  }
}

function byNumber(a: RaisedHand, b: RaisedHand): number {
  return a.number - b.number;
}
