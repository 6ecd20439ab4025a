/**
 * The conversation in a room beside its media: chat, raised hands, reactions, captions and polls. Reads what the server keeps
 * of it after each join, and follows its notices.
 */
import { batch } from '@preact/signals-core';
import { loadLastReadMessage, saveLastReadMessage } from './browserStorage';
import { Captions } from './captions';
import { Chat } from './chat';
import { named, type NotificationContent } from './notifications';
import { Polls } from './polls';
import type { Notice } from './protocol';
import { RaisedHands } from './raisedHands';
import { Reactions } from './reactions';
import { Refusal, type RoomSignalling } from './signalling';

/** Time after which reading is tried again when the server has refused it. */
const RETRY_MS = 3_000;
/** Attempts to read the conversation after a join. */
const ATTEMPTS_MAX = 5;

export class Conversation {
  readonly chat: Chat;
  readonly hands: RaisedHands;
  readonly reactions: Reactions;
  readonly captions: Captions;
  readonly polls: Polls;
  /** Our peer id on the present connection. */
  ownId = '';
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Number of the latest join; replies to earlier ones have no effect. */
  private joins = 0;
  /** Id of the latest message before that join. */
  private lastIdBefore = 0;

  constructor(
    roomId: string,
    private readonly signalling: RoomSignalling,
    private readonly notify: (content: NotificationContent) => void,
  ) {
    this.chat = new Chat({
      signalling,
      announce: ({ from, to, text }) => notify({ code: to ? 'privateMessage' : 'chatMessage', who: from, text }),
      loadLastRead: () => loadLastReadMessage(roomId),
      saveLastRead: (id) => saveLastReadMessage(roomId, id),
    });
    this.hands = new RaisedHands(signalling);
    this.reactions = new Reactions(signalling);
    this.captions = new Captions(signalling);
    this.polls = new Polls(signalling);
  }

  /** Reads the conversation after joining with this peer id. */
  start(ownId: string): void {
    this.stop();
    this.ownId = ownId;
    this.lastIdBefore = this.chat.lastId;
    void this.read(1);
  }

  /** Stops reading: the connection is lost, or we leave. */
  stop(): void {
    this.joins += 1;
    clearTimeout(this.retryTimer);
  }

  /** Forgets the messages: we go to another room of the meeting, which has its own. */
  clear(): void {
    this.stop();
    this.chat.clear();
  }

  react(emoji: string): void {
    this.reactions.send(emoji, this.ownId);
  }

  handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'chat':
        return this.chat.handleMessage(notice.payload);
      case 'chatPolicyChanged':
        this.chat.policy.value = notice.payload.policy;
        return this.notify({ code: 'chatPolicyChanged', policy: notice.payload.policy });
      case 'handRaised': {
        const who = named(notice.payload);
        const isNew = this.hands.handleRaised(notice.payload);
        if (isNew && who.id !== this.ownId) this.notify({ code: 'handRaised', who });
        return;
      }
      case 'handLowered':
        return this.hands.handleLowered(notice.payload.peerId);
      case 'reaction':
        return this.reactions.show(notice.payload.peerId, notice.payload.reaction);
      case 'caption':
        return this.captions.handleCaption(notice.payload);
      case 'pollOpened': {
        const { question, own } = notice.payload;
        this.polls.handleOpened(notice.payload);
        if (!own) this.notify({ code: 'pollOpened', who: named(notice.payload), text: question });
        return;
      }
      case 'pollChanged':
        return this.polls.handleChanged(notice.payload);
      default:
        return;
    }
  }

  private async read(attempt: number): Promise<void> {
    const join = this.joins;
    try {
      const after = this.lastIdBefore;
      const conversation = await this.signalling.request('getConversation', after ? { after } : {});
      if (join !== this.joins) return;
      batch(() => {
        this.hands.applyConversation(conversation.hands, this.ownId);
        this.polls.applyConversation(conversation.polls);
        this.chat.applyConversation(conversation);
      });
    } catch (error) {
      // A lost connection leads to another join.
      if (join !== this.joins || !(error instanceof Refusal) || attempt >= ATTEMPTS_MAX) return;
      this.retryTimer = setTimeout(() => void this.read(attempt + 1), RETRY_MS);
    }
  }
}
