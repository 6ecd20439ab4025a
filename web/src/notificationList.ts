/** Notifications shown over the call: the newest few, each for some seconds. */
import { signal } from '@preact/signals';

/** A short message shown over the call. */
export interface Notification {
  id: number;
  tone: 'plain' | 'bad';
  text: string;
  action?: NotificationAction;
}

/** Button of a notification. */
export interface NotificationAction {
  label: string;
  run(): void;
}

const NOTIFICATIONS_MAX = 3;
/** Long enough to read two lines. */
const NOTIFICATION_MS = 5_000;
/** Long enough to decide, too. */
const ACTION_MS = 20_000;

export class NotificationList {
  readonly notifications = signal<Notification[]>([]);
  private lastId = 0;

  add(text: string, tone: Notification['tone'], action?: NotificationAction): void {
    this.lastId += 1;
    const notification = { id: this.lastId, tone, text, ...(action && { action }) };
    this.notifications.value = [...this.notifications.value, notification].slice(-NOTIFICATIONS_MAX);
    setTimeout(() => this.dismiss(notification.id), action ? ACTION_MS : NOTIFICATION_MS);
  }

  dismiss(id: number): void {
    this.notifications.value = this.notifications.value.filter((notification) => notification.id !== id);
  }
}
