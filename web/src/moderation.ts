/**
 * Moderation as a host sees it: pending requests to join and to speak, the room's
 * policy, and the actions on other participants. Sends actions to the server,
 * which checks whether they are permitted.
 */
import { signal } from '@preact/signals-core';
import { named, type Named, type NotificationContent } from './notifications';
import type { ChatPolicy, Moderate, Notice, Notices, Policy, Role, Sharing } from './protocol';
import { reportRefusal, type RoomSignalling } from './signalling';

export class Moderation {
  /** Requests to join the room, oldest first. */
  readonly joinRequests = signal<Named[]>([]);
  /** Viewers who asked to speak, oldest first. */
  readonly speakRequests = signal<Named[]>([]);
  /** Who may enter; the server tells hosts when it is not `open`. */
  readonly policy = signal<Policy>('open');

  constructor(
    private readonly signalling: RoomSignalling,
    private readonly notify: (content: NotificationContent) => void,
  ) {}

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

  /** Mutes everybody else. */
  muteAll(): void {
    this.send({ action: 'muteAll', kind: 'audio' }, { code: 'mutedAll' });
  }

  /** Asks a participant to switch the microphone on; nobody can do that for another. */
  askToUnmute(who: Named): void {
    this.send({ action: 'askToUnmute', peerId: who.id }, { code: 'unmuteAsked', who });
  }

  /** Stops all screens that a participant shares. */
  stopSharing(peerId: string): void {
    this.send({ action: 'stopSharing', peerId });
  }

  appointHost(peerId: string): void {
    this.send({ action: 'appointHost', peerId });
  }

  /** Shows a participant large to everybody; null ends that. */
  spotlight(peerId: string | null): void {
    this.send(peerId === null ? { action: 'spotlight' } : { action: 'spotlight', peerId });
  }

  setSharing(sharing: Sharing): void {
    this.send({ action: 'setSharing', sharing });
  }

  /** Ends the meeting for everybody, for us too. */
  end(): void {
    this.send({ action: 'end' });
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

  /** Sends a request, and tells the host when it was carried out. */
  private send(action: Moderate, done?: NotificationContent): void {
    const sent = this.signalling.request('moderate', action);
    const told = done ? sent.then(() => this.notify(done)) : sent;
    told.catch((error: unknown) => reportRefusal(this.signalling, error));
  }
}

function withRequester(list: Named[], requester: Notices['joinRequested']): Named[] {
  return [...without(list, requester.peerId), named(requester)];
}

function without(list: Named[], id: string): Named[] {
  return list.filter((requester) => requester.id !== id);
}
