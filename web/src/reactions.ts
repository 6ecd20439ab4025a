/** Reactions of participants, each shown for some seconds. */
import { signal } from '@preact/signals-core';
import { reportRefusal, type RoomSignalling } from './signalling';

/** The reactions that the server knows. */
export const REACTIONS = ['👍', '👏', '❤️', '😂', '😮', '🎉', '🤔', '👎'] as const;

/** How long a reaction is shown. */
const SHOWN_MS = 5_000;

interface ShownReaction {
  emoji: string;
  /** Number of the reaction; an animation starts again with each. */
  number: number;
}

export class Reactions {
  /** Latest reaction of each participant, by peer id. */
  readonly shown = signal<ReadonlyMap<string, ShownReaction>>(new Map());
  private lastNumber = 0;

  constructor(private readonly signalling: RoomSignalling) {}

  /** Sends a reaction, and shows it as our own. */
  send(emoji: string, ownId: string): void {
    this.signalling.request('react', { reaction: emoji }).then(
      () => this.show(ownId, emoji),
      (error: unknown) => reportRefusal(this.signalling, error),
    );
  }

  /** Shows a reaction of a participant instead of an earlier one. */
  show(peerId: string, emoji: string): void {
    this.lastNumber += 1;
    const number = this.lastNumber;
    this.shown.value = new Map([...this.shown.value, [peerId, { emoji, number }]]);
    setTimeout(() => {
      if (this.shown.value.get(peerId)?.number !== number) return;
      this.shown.value = new Map([...this.shown.value].filter(([id]) => id !== peerId));
    }, SHOWN_MS);
  }
}
