/** A viewer's request to speak: asks the hosts, and waits for their answer before asking again. */
import { signal } from '@preact/signals-core';
import type { Notification } from './notificationList';
import type { NotificationContent } from './notifications';
import { Refusal, failureReason, type RoomSignalling } from './signalling';

/** After this time without an answer, another request may be sent. */
const PENDING_MS_MAX = 20_000;

export class SpeakRequest {
  /** Whether a request was sent less than `PENDING_MS_MAX` ago and not answered. */
  readonly pending = signal(false);
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly signalling: RoomSignalling,
    private readonly notify: (content: NotificationContent, tone?: Notification['tone']) => void,
  ) {}

  /** Asks the hosts for the role of a speaker. */
  send(): void {
    if (this.pending.value) return;
    this.pending.value = true;
    this.timer = setTimeout(() => (this.pending.value = false), PENDING_MS_MAX);
    this.signalling.request('requestToSpeak', {}).then(
      () => this.notify({ code: 'hostsAsked' }),
      (error: unknown) => {
        this.clear();
        if (error instanceof Refusal) this.notify({ code: 'hostsNotAsked', reason: failureReason(error) }, 'bad');
      },
    );
  }

  /** Forgets the request: it was answered, or we left. */
  clear(): void {
    clearTimeout(this.timer);
    this.pending.value = false;
  }
}
