/** Notifications shown over the call: the newest few, each for some seconds. */
import { signal } from '@preact/signals';

/** A short message shown over the call. */
export interface Notification {
  id: number;
  tone: 'plain' | 'bad';
  text: string;
}

const NOTIFICATIONS_MAX = 3;
/** Long enough to read two lines. */
const NOTIFICATION_MS = 5_000;

export class NotificationList {
  readonly notifications = signal<Notification[]>([]);
  private lastId = 0;

  add(text: string, tone: Notification['tone']): void {
    this.lastId += 1;
    const notification = { id: this.lastId, tone, text };
    this.notifications.value = [...this.notifications.value, notification].slice(-NOTIFICATIONS_MAX);
    setTimeout(() => this.dismiss(notification.id), NOTIFICATION_MS);
  }

  dismiss(id: number): void {
    this.notifications.value = this.notifications.value.filter((notification) => notification.id !== id);
  }
}
