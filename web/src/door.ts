/**
 * What a host looks after: who waits outside, who asks to speak, who may come
 * in at all; and what a host decides about others. Decides nothing by itself,
 * and checks no rights: the server does.
 */
import { signal } from '@preact/signals';
import { labelOf } from './participant';
import type { Moderate, Notice, Notices, Policy, Role } from './protocol';
import type { Asking } from './sending';
import { Refusal } from './socket';

/** Somebody who wants something of the hosts. */
export interface Asker {
  id: string;
  label: string;
}

export class Door {
  /** Who waits to be let in, longest first. */
  readonly waiting = signal<Asker[]>([]);
  /** Who watches and asks to speak, longest first. */
  readonly wishes = signal<Asker[]>([]);
  /** Who may enter; a host is told where that is not everybody. */
  readonly policy = signal<Policy>('open');

  constructor(private readonly asking: Asking) {}

  admit({ id }: Asker): void {
    this.settle(id);
    this.decide({ action: 'admit', peerId: id });
  }

  deny({ id }: Asker): void {
    this.settle(id);
    this.decide({ action: 'deny', peerId: id });
  }

  promote(peerId: string): void {
    this.forget(peerId);
    this.decide({ action: 'promote', peerId });
  }

  demote(peerId: string): void {
    this.decide({ action: 'demote', peerId });
  }

  mute(peerId: string): void {
    this.decide({ action: 'mute', peerId, kind: 'audio' });
  }

  remove(peerId: string): void {
    this.decide({ action: 'remove', peerId });
  }

  choose(policy: Policy): void {
    this.decide({ action: 'setPolicy', policy });
  }

  /** Drops a wish to speak, without a word to whoever had it. */
  forget(id: string): void {
    this.wishes.value = without(this.wishes.value, id);
  }

  /** Forgets what only a host is told: we are none, or the line on which we were told is gone. */
  close(): void {
    this.policy.value = 'open';
    this.waiting.value = [];
    this.wishes.value = [];
  }

  hear(notice: Notice): void {
    switch (notice.type) {
      case 'joinRequested':
        this.waiting.value = withOne(this.waiting.value, notice.payload);
        return;
      case 'joinSettled':
        return this.settle(notice.payload.peerId);
      case 'speakRequested':
        this.wishes.value = withOne(this.wishes.value, notice.payload);
        return;
      case 'policyChanged':
        this.policy.value = notice.payload.policy;
        return;
      case 'peerLeft':
        return this.forget(notice.payload.peerId);
      case 'roleChanged':
        return this.roleChanged(notice.payload.peerId, notice.payload.role);
      default:
        return;
    }
  }

  private roleChanged(peerId: string, role: Role): void {
    if (role !== 'viewer') this.forget(peerId);
  }

  private settle(id: string): void {
    this.waiting.value = without(this.waiting.value, id);
  }

  private decide(decision: Moderate): void {
    this.asking.request('moderate', decision).catch((error: unknown) => {
      // Who is not there any more needs no decision.
      if (error instanceof Refusal && error.code !== 'participant-not-found') {
        this.asking.complain(`That could not be done: ${error.message}`);
      }
    });
  }
}

function withOne(list: Asker[], { peerId, displayName }: Notices['joinRequested']): Asker[] {
  return [...without(list, peerId), { id: peerId, label: labelOf(peerId, displayName) }];
}

function without(list: Asker[], id: string): Asker[] {
  return list.filter((one) => one.id !== id);
}
