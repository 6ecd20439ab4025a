/** Notifications of a call: the newest few, each for some seconds. Who joins or leaves is told together. */
import { signal } from '@preact/signals-core';
import type { NotificationContent } from './notifications';

/** A short message shown during the call. */
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
  private readonly timers = new Map<number, ReturnType<typeof setTimeout>>();

  add(content: NotificationContent, tone: Notification['tone'], action?: () => void): void {
    if (this.join(content)) return;
    this.lastId += 1;
    const notification = { id: this.lastId, tone, content, ...(action && { action }) };
    this.notifications.value = [...this.notifications.value, notification].slice(-NOTIFICATIONS_MAX);
    this.startTimer(notification.id, action ? ACTION_MS : NOTIFICATION_MS);
  }

  dismiss(id: number): void {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.notifications.value = this.notifications.value.filter((notification) => notification.id !== id);
  }

  /** Adds to the notification that says the same: of other people, or once more. Returns whether there is one. */
  private join(content: NotificationContent): boolean {
    const shown = this.notifications.value.find((notification) => isSameNews(notification.content, content));
    if (!shown) return false;
    const joined = { ...shown, content: together(shown.content, content) };
    this.notifications.value = this.notifications.value.map((other) => (other === shown ? joined : other));
    this.startTimer(shown.id, shown.action ? ACTION_MS : NOTIFICATION_MS);
    return true;
  }

  private startTimer(id: number, ms: number): void {
    clearTimeout(this.timers.get(id));
    this.timers.set(id, setTimeout(() => this.dismiss(id), ms));
  }
}

function isSameNews(shown: NotificationContent, content: NotificationContent): boolean {
  const isAboutPeople = content.code === 'joined' || content.code === 'left';
  return isAboutPeople ? shown.code === content.code : JSON.stringify(shown) === JSON.stringify(content);
}

function together(shown: NotificationContent, content: NotificationContent): NotificationContent {
  const isAboutPeople = shown.code === 'joined' || shown.code === 'left';
  if (!isAboutPeople || JSON.stringify(shown) === JSON.stringify(content)) return content;
  return { ...shown, others: (shown.others ?? 0) + 1 };
}
