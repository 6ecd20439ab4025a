/**
 * Moderation as a host sees it: pending requests to join and to speak, the room's
 * policy, and the actions on other participants. Sends actions to the server,
 * which checks whether they are permitted.
 */
import { signal } from '@preact/signals';
import type { Named } from './notifications';
import type { ChatPolicy, Moderate, Notice, Notices, Policy, Role } from './protocol';
import { Refusal, failureReason, type RoomSignalling } from './signalling';

export class Moderation {
  /** Requests to join the room, oldest first. */
  readonly joinRequests = signal<Named[]>([]);
  /** Viewers who asked to speak, oldest first. */
  readonly speakRequests = signal<Named[]>([]);
  /** Who may enter; the server tells hosts when it is not `open`. */
  readonly policy = signal<Policy>('open');

  constructor(private readonly signalling: RoomSignalling) {}

  admit({ id }: Named): void {
    this.removeJoinRequest(id);
    this.send({ action: 'admit', peerId: id });
  }

  deny({ id }: Named): void {
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

  setChatPolicy(policy: ChatPolicy): void {
    this.send({ action: 'setChatPolicy', policy });
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
        this.signalling.reportProblem({ code: 'actionFailed', reason: failureReason(error) });
      }
    });
  }
}

function withRequester(list: Named[], { peerId, displayName }: Notices['joinRequested']): Named[] {
  return [...without(list, peerId), { id: peerId, name: displayName ?? '' }];
}

function without(list: Named[], id: string): Named[] {
  return list.filter((requester) => requester.id !== id);
}
