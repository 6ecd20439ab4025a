/**
 * Chat of one room: messages in the server's order, those that are not delivered yet, and how many are unread.
 * Messages of a gap come with the server's history; each is identified by its id, so that none is shown twice.
 */
import { batch, computed, signal } from '@preact/signals-core';
import { named, type FailureReason, type Named } from './notifications';
import type { ChatMessage as ReceivedMessage, ChatPolicy, Conversation, PayloadOf } from './protocol';
import { Refusal, failureReason, type RoomSignalling } from './signalling';

/** Upper bound of messages that the page keeps; the oldest are given up. */
const MESSAGES_MAX = 1_000;
/** Upper bound of a message, as the server has it. */
const MESSAGE_BYTES_MAX = 12 * 1_024;

export interface ChatMessage {
  /** The server's id; later messages have higher ones. */
  id: number;
  /** Time in ms since 1970. */
  sentAt: number;
  from: Named;
  isOwn: boolean;
  /** The only receiver; null for everybody. */
  to: Named | null;
  text: string;
}

/** A message of ours that the server has not confirmed. */
export interface UnsentMessage {
  /** By this key the server knows a message that it is sent again. */
  key: string;
  to: Named | null;
  text: string;
  /** Why the server refused it; null while it is on its way. */
  failure: FailureReason | null;
}

/** Access of the chat to the room and to the browser's storage. */
export interface ChatOptions {
  signalling: RoomSignalling;
  /** Called with each new message of somebody else that is not in view. */
  announce(message: ChatMessage): void;
  /** Id of the last message that this tab has read, also before a reload. */
  loadLastRead(): number;
  saveLastRead(id: number): void;
}

export class Chat {
  /** Delivered messages, oldest first. */
  readonly messages = signal<readonly ChatMessage[]>([]);
  /** Our messages that are not delivered, oldest first. */
  readonly unsent = signal<readonly UnsentMessage[]>([]);
  /** Participants who may write to everybody. */
  readonly policy = signal<ChatPolicy>('everybody');
  /** Whether the messages are in view. */
  readonly isOpen = signal(false);
  /** Text in the field that is not sent yet. */
  readonly draft = signal('');
  /** The only receiver of what is typed; null for everybody. */
  readonly receiver = signal<Named | null>(null);
  private readonly lastRead = signal(0);
  readonly unreadCount = computed(() => this.messages.value.filter(({ id, isOwn }) => !isOwn && id > this.lastRead.value).length);
  private lastKey = 0;

  constructor(private readonly options: ChatOptions) {
    this.lastRead.value = options.loadLastRead();
  }

  /** Id of the latest message; 0 without any. */
  get lastId(): number {
    return this.messages.value.at(-1)?.id ?? 0;
  }

  open(): void {
    this.isOpen.value = true;
    this.markRead();
  }

  close(): void {
    this.isOpen.value = false;
  }

  /** Forgets all messages, also those that are not delivered. */
  clear(): void {
    batch(() => {
      this.messages.value = [];
      this.unsent.value = [];
      this.receiver.value = null;
    });
  }

  /** Sends a message to everybody, or to one participant. */
  send(text: string, to: Named | null): void {
    this.lastKey += 1;
    // The server keeps the keys of each person apart, over reloads too.
    const key = `${Date.now().toString(36)}.${this.lastKey}`;
    const message = { key, to, text, failure: null };
    this.unsent.value = [...this.unsent.value, message];
    void this.deliver(message);
  }

  /** Sends a message again that the server has refused. */
  retry(key: string): void {
    const message = this.unsent.value.find((unsent) => unsent.key === key);
    if (!message) return;
    const again = { ...message, failure: null };
    this.replaceUnsent(key, again);
    void this.deliver(again);
  }

  /** Gives up a message that is not delivered. */
  discard(key: string): void {
    this.unsent.value = this.unsent.value.filter((unsent) => unsent.key !== key);
  }

  /** Adds the messages of the server's history, and sends again what a lost connection may have kept from it. */
  applyConversation({ messages, chatPolicy }: Conversation): void {
    batch(() => {
      this.policy.value = chatPolicy;
      for (const { key } of messages) if (key) this.discard(key);
      this.add(messages.map(received));
    });
    for (const message of this.unsent.value) if (!message.failure) void this.deliver(message);
  }

  handleMessage(message: ReceivedMessage): void {
    const added = this.add([received(message)]);
    if (!this.isOpen.value) for (const message of added) this.options.announce(message);
  }

  private async deliver(message: UnsentMessage): Promise<void> {
    const { key, to, text } = message;
    const payload: PayloadOf<'chat'> = { text, key, ...(to && { to: to.id }) };
    try {
      const { messageId, sentAt } = await this.options.signalling.request('chat', payload);
      batch(() => {
        this.discard(key);
        this.add([{ id: messageId, sentAt, from: { id: '', name: '' }, isOwn: true, to, text }]);
      });
    } catch (error) {
      // Without a connection, or before we are in the room again, it waits until the history has come.
      if (!(error instanceof Refusal) || error.code === 'not-in-room') return;
      this.replaceUnsent(key, { ...message, failure: failureReason(error) });
    }
  }

  /** Adds messages that are not known yet, in the order of their ids. Returns those. */
  private add(messages: ChatMessage[]): ChatMessage[] {
    const known = new Set(this.messages.value.map(({ id }) => id));
    const added = messages.filter(({ id }) => !known.has(id));
    if (added.length === 0) return [];
    const all = [...this.messages.value, ...added].sort((a, b) => a.id - b.id);
    this.messages.value = all.slice(-MESSAGES_MAX);
    if (this.isOpen.value) this.markRead();
    return added;
  }

  private markRead(): void {
    if (this.lastId <= this.lastRead.value) return;
    this.lastRead.value = this.lastId;
    this.options.saveLastRead(this.lastId);
  }

  private replaceUnsent(key: string, by: UnsentMessage): void {
    this.unsent.value = this.unsent.value.map((unsent) => (unsent.key === key ? by : unsent));
  }
}

/** Whether a message is longer than the server accepts. */
export function isTooLong(text: string): boolean {
  return new TextEncoder().encode(text).length > MESSAGE_BYTES_MAX;
}

function received({ messageId, sentAt, text, to, own = false, ...from }: ReceivedMessage): ChatMessage {
  return { id: messageId, sentAt, from: named(from), isOwn: own, to: to ? named(to) : null, text };
}
