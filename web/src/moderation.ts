/**
 * Moderation as a host sees it: pending requests to join and to speak, the room's
 * policy, and the actions on other participants. Sends actions to the server,
 * which checks whether they are permitted.
 */
import { signal } from '@preact/signals';
import { displayLabel } from './participant';
import type { Moderate, Notice, Notices, Policy, Role } from './protocol';
import { Refusal, type RoomSignalling } from './signalling';

/** A participant who waits for a decision of the hosts. */
export interface Requester {
  id: string;
  label: string;
}

export class Moderation {
  /** Requests to join the room, oldest first. */
  readonly joinRequests = signal<Requester[]>([]);
  /** Viewers who asked to speak, oldest first. */
  readonly speakRequests = signal<Requester[]>([]);
  /** Who may enter; the server tells hosts when it is not `open`. */
  readonly policy = signal<Policy>('open');

  constructor(private readonly signalling: RoomSignalling) {}

  admit({ id }: Requester): void {
    this.removeJoinRequest(id);
    this.send({ action: 'admit', peerId: id });
  }

  deny({ id }: Requester): void {
    this.removeJoinRequest(id);
    this.send({ action: 'deny', peerId: id });
  }

  promote(peerId: string): void {
    this.dismissSpeakRequest(peerId);
    this.send({ action: 'promote', peerId });
  }

  demote(peerId: string): void {
    this.send({ action: 'demote', peerId });
  }

  mute(peerId: string): void {
    this.send({ action: 'mute', peerId, kind: 'audio' });
  }

  /** Removes a participant; `ban` keeps it out while the meeting lasts. */
  remove(peerId: string, ban: boolean): void {
    this.send({ action: 'remove', peerId, ban });
  }

  setPolicy(policy: Policy): void {
    this.send({ action: 'setPolicy', policy });
  }

  /** Removes a request to speak from the list without notifying the requester. */
  dismissSpeakRequest(id: string): void {
    this.speakRequests.value = without(this.speakRequests.value, id);
  }

  /** Clears what only hosts are told, after losing the role or the connection. */
  reset(): void {
    this.policy.value = 'open';
    this.joinRequests.value = [];
    this.speakRequests.value = [];
  }

  handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'joinRequested':
        this.joinRequests.value = withRequester(this.joinRequests.value, notice.payload);
        return;
      case 'joinSettled':
        return this.removeJoinRequest(notice.payload.peerId);
      case 'speakRequested':
        this.speakRequests.value = withRequester(this.speakRequests.value, notice.payload);
        return;
      case 'policyChanged':
        this.policy.value = notice.payload.policy;
        return;
      case 'peerLeft':
        return this.dismissSpeakRequest(notice.payload.peerId);
      case 'roleChanged':
        return this.handleRoleChange(notice.payload.peerId, notice.payload.role);
      default:
        return;
    }
  }

  private handleRoleChange(peerId: string, role: Role): void {
    if (role !== 'viewer') this.dismissSpeakRequest(peerId);
  }

  private removeJoinRequest(id: string): void {
    this.joinRequests.value = without(this.joinRequests.value, id);
  }

  private send(action: Moderate): void {
    this.signalling.request('moderate', action).catch((error: unknown) => {
      // The participant may have left meanwhile; then there is nothing to do.
      if (error instanceof Refusal && error.code !== 'participant-not-found') {
        this.signalling.reportProblem(`That could not be done: ${error.message}`);
      }
    });
  }
}

function withRequester(list: Requester[], { peerId, displayName }: Notices['joinRequested']): Requester[] {
  return [...without(list, peerId), { id: peerId, label: displayLabel(peerId, displayName) }];
}

function without(list: Requester[], id: string): Requester[] {
  return list.filter((requester) => requester.id !== id);
}
