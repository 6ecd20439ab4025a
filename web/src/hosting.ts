/**
 * The spotlight, the rule for sharing screens, and the latest request to unmute, as notices tell them. `Moderation`
 * sends the requests of hosts.
 */
import { batch, signal } from '@preact/signals-core';
import type { Named, NotificationContent } from './notifications';
import type { Notice, RoomJoined, Sharing } from './protocol';

/** Access of `Hosting` to the room. */
export interface HostingContext {
  /** Our own id; empty before the greeting. */
  ownId(): string;
  /** Another participant by id. */
  participant(id: string): Named | undefined;
  notify(content: NotificationContent): void;
}

/** A host's request to switch the microphone on; the host is null when it is not known. */
export interface UnmuteRequest {
  host: Named | null;
}

export class Hosting {
  /** Id of the participant that everybody is shown large, perhaps our own; null without one. */
  readonly spotlight = signal<string | null>(null);
  /** Rule for sharing screens. */
  readonly sharing = signal<Sharing>('everybody');
  /** The latest request to unmute that was not answered; null without one. */
  readonly unmuteRequest = signal<UnmuteRequest | null>(null);

  constructor(private readonly context: HostingContext) {}

  applySnapshot({ spotlight, sharing = 'everybody' }: RoomJoined): void {
    batch(() => {
      this.spotlight.value = spotlight ?? null;
      this.sharing.value = sharing;
    });
  }

  /** Forgets the request to unmute: it was answered, or we left. */
  dismissUnmuteRequest(): void {
    this.unmuteRequest.value = null;
  }

  handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'unmuteRequested':
        this.unmuteRequest.value = { host: this.context.participant(notice.payload.peerId ?? '') ?? null };
        return;
      case 'sharingStopped':
        return this.context.notify({ code: 'sharingStopped' });
      case 'sharingChanged':
        this.sharing.value = notice.payload.sharing;
        return this.context.notify({ code: 'sharingChanged', sharing: notice.payload.sharing });
      case 'spotlightChanged':
        return this.setSpotlight(notice.payload.peerId ?? null);
      default:
        return;
    }
  }

  private setSpotlight(id: string | null): void {
    const ownId = this.context.ownId();
    const wasOwn = this.spotlight.value === ownId;
    this.spotlight.value = id;
    if (id === ownId) this.context.notify({ code: 'spotlit' });
    else if (wasOwn) this.context.notify({ code: 'spotlightEnded' });
  }
}
