/** Notifications shown over the call: the newest few, each for some seconds. */
import { signal } from '@preact/signals';
import type { NotificationContent } from './notifications';

/** A short message shown over the call. */
export interface Notification {
  id: number;
  tone: 'plain' | 'bad';
  content: NotificationContent;
  /** What the button of the notification does; absent where it has none. */
  action?: () => void;
}

const NOTIFICATIONS_MAX = 3;
/** Long enough to read two lines. */
const NOTIFICATION_MS = 5_000;
/** Long enough to decide, too. */
const ACTION_MS = 20_000;

export class NotificationList {
  readonly notifications = signal<Notification[]>([]);
  private lastId = 0;

  add(content: NotificationContent, tone: Notification['tone'], action?: () => void): void {
    this.lastId += 1;
    const notification = { id: this.lastId, tone, content, ...(action && { action }) };
    this.notifications.value = [...this.notifications.value, notification].slice(-NOTIFICATIONS_MAX);
    setTimeout(() => this.dismiss(notification.id), action ? ACTION_MS : NOTIFICATION_MS);
  }

  dismiss(id: number): void {
    this.notifications.value = this.notifications.value.filter((notification) => notification.id !== id);
  }
}
