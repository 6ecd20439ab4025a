/** Polls of a room with their votes, and what we voted. */
import { computed, signal } from '@preact/signals-core';
import { named, type Named } from './notifications';
import type { Notices, Poll as ReceivedPoll, RequestType, PayloadOf } from './protocol';
import { reportRefusal, type RoomSignalling } from './signalling';

export const OPTIONS_MIN = 2;
export const OPTIONS_MAX = 10;
/** Characters of a question and of an answer; the server counts bytes, four for each at most. */
export const QUESTION_LENGTH_MAX = 120;
export const OPTION_LENGTH_MAX = 60;

export interface Poll {
  id: number;
  author: Named;
  isOwn: boolean;
  question: string;
  options: readonly string[];
  /** Number of votes for each answer. */
  votes: readonly number[];
  isClosed: boolean;
  /** Index of the answer that we have chosen; null for none. */
  ownVote: number | null;
}

export class Polls {
  /** Newest first. */
  readonly polls = signal<readonly Poll[]>([]);
  /** Open polls in which we have not voted. */
  readonly unansweredCount = computed(() => this.polls.value.filter(({ isClosed, ownVote }) => !isClosed && ownVote === null).length);

  constructor(private readonly signalling: RoomSignalling) {}

  /** Starts a poll. Returns whether the server accepted it. */
  open(question: string, options: string[]): Promise<boolean> {
    return this.request('openPoll', { question, options });
  }

  /** Chooses an answer, or another one than before. */
  async vote(id: number, option: number): Promise<void> {
    const before = this.polls.value.find((poll) => poll.id === id)?.ownVote ?? null;
    this.update(id, { ownVote: option });
    if (!(await this.request('vote', { pollId: id, option }))) this.update(id, { ownVote: before });
  }

  /** Ends a poll of ours; hosts end those of others too. */
  close(id: number): void {
    void this.request('closePoll', { pollId: id });
  }

  applyConversation(polls: readonly ReceivedPoll[]): void {
    this.polls.value = polls.map(received).sort(newestFirst);
  }

  handleOpened(poll: ReceivedPoll): void {
    const others = this.polls.value.filter(({ id }) => id !== poll.pollId);
    this.polls.value = [...others, received(poll)].sort(newestFirst);
  }

  handleChanged({ pollId, votes, closed }: Notices['pollChanged']): void {
    this.update(pollId, { votes, isClosed: closed });
  }

  private update(id: number, change: Partial<Poll>): void {
    this.polls.value = this.polls.value.map((poll) => (poll.id === id ? { ...poll, ...change } : poll));
  }

  private async request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<boolean> {
    try {
      await this.signalling.request(type, payload);
      return true;
    } catch (error) {
      reportRefusal(this.signalling, error);
      return false;
    }
  }
}

function received({ pollId, question, options, votes, closed, own = false, ownVote, ...author }: ReceivedPoll): Poll {
  return { id: pollId, author: named(author), isOwn: own, question, options, votes, isClosed: closed, ownVote: ownVote ?? null };
}

function newestFirst(a: Poll, b: Poll): number {
  return b.id - a.id;
}
