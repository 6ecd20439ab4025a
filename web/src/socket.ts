/**
 * One WebSocket to the server: requests with their replies, notices, and the
 * way back after a loss. Knows frames and time, never what a request means.
 *
 * 1. `open` dials. 2. The server greets with `connected`; the socket is up.
 * 3. Requests go out with ids, replies come back by id, the rest are notices.
 * 4. When the socket closes, every waiting request fails and dialling starts
 * again after a growing, random pause, until `close`.
 */
import type {
  Connected,
  ErrorPayload,
  Frame,
  Notice,
  PayloadOf,
  ReplyOf,
  RequestType,
} from './protocol';

/** A request unanswered for this long means that the line is dead, whatever the browser thinks. */
const REPLY_MS_MAX = 10_000;
/** The server greets at once; a socket that stays silent this long is dialled anew. */
const GREETING_MS_MAX = 8_000;
const BACKOFF_MS_FIRST = 400;
const BACKOFF_MS_MAX = 8_000;

export interface SocketEvents {
  /** The server has greeted: requests may be sent. */
  up(connected: Connected): void;
  notice(notice: Notice): void;
  /** The socket is gone, or could not be opened; the next try comes in `retryMs`. */
  down(retryMs: number): void;
}

/** The server's refusal of one request. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    message: string,
    readonly code: string | undefined,
  ) {
    super(message);
  }
}

/** The line failed while a request was under way. */
export class LineLost extends Error {
  override readonly name = 'LineLost';
}

/**
 * The pause before dial number `attempt` (0 is the first after a loss). Half of
 * it is random, so that a thousand pages that lost one server do not all come
 * back in the same instant.
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** attempt);
  return Math.round(full / 2 + (full / 2) * random);
}

interface Waiting {
  resolve(payload: never): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Socket {
  private line: WebSocket | null = null;
  private readonly waiting = new Map<string, Waiting>();
  private lastId = 0;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wanted = false;
  private greeted = false;

  constructor(
    private readonly url: string,
    private readonly events: SocketEvents,
    private readonly dial: (url: string) => WebSocket = (address) => new WebSocket(address),
    private readonly random: () => number = Math.random,
  ) {}

  open(): void {
    this.wanted = true;
    this.dialNow();
  }

  /** Ends the line for good; nothing is reported afterwards. */
  close(): void {
    this.wanted = false;
    clearTimeout(this.timer);
    this.drop('closed');
  }

  /** Dials at once instead of waiting out the pause, as when the network comes back. */
  retryNow(): void {
    if (!this.wanted || this.line) return;
    this.attempt = 0;
    this.dialNow();
  }

  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>> {
    const line = this.line;
    if (!line || !this.greeted) return Promise.reject(new LineLost('not connected'));
    this.lastId += 1;
    const id = String(this.lastId);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (this.line === line) this.lost(`no reply to ${type}`);
      }, REPLY_MS_MAX);
      this.waiting.set(id, { resolve, reject, timer });
      line.send(JSON.stringify({ type, payload, id }));
    });
  }

  private dialNow(): void {
    clearTimeout(this.timer);
    const line = this.dial(this.url);
    this.line = line;
    this.greeted = false;
    line.onmessage = (event: MessageEvent) => this.receive(line, event.data);
    line.onclose = () => {
      if (this.line === line) this.lost('socket closed');
    };
    this.timer = setTimeout(() => {
      if (this.line === line) this.lost('no greeting');
    }, GREETING_MS_MAX);
  }

  private receive(line: WebSocket, data: unknown): void {
    if (this.line !== line) return;
    const frame = parseFrame(data);
    if (!frame) return;
    if (frame.id !== undefined) {
      this.settle(String(frame.id), frame);
      return;
    }
    if (frame.type === 'connected') {
      clearTimeout(this.timer);
      this.greeted = true;
      this.attempt = 0;
      this.events.up(frame.payload as Connected);
      return;
    }
    this.events.notice(frame as Notice);
  }

  private settle(id: string, frame: Frame): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    if (frame.type === 'error') {
      const { message, code } = frame.payload as ErrorPayload;
      waiting.reject(new Refusal(message, code));
    } else {
      waiting.resolve(frame.payload as never);
    }
  }

  private lost(reason: string): void {
    clearTimeout(this.timer);
    this.drop(reason);
    if (!this.wanted) return;
    const retryMs = backoffMs(this.attempt, this.random());
    this.attempt += 1;
    this.timer = setTimeout(() => this.dialNow(), retryMs);
    this.events.down(retryMs);
  }

  private drop(reason: string): void {
    const line = this.line;
    this.line = null;
    this.greeted = false;
    if (line) {
      line.onmessage = null;
      line.onclose = null;
      line.close();
    }
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new LineLost(reason));
    }
    this.waiting.clear();
  }
}

/** A frame this client can read, or nothing: what a newer server adds must not break the page. */
function parseFrame(data: unknown): Frame | null {
  if (typeof data !== 'string') return null;
  try {
    const frame: unknown = JSON.parse(data);
    if (typeof frame !== 'object' || frame === null) return null;
    const { type, payload, id } = frame as Partial<Frame>;
    if (typeof type !== 'string' || typeof payload !== 'object' || payload === null) return null;
    return id === undefined || id === null ? { type, payload } : { type, payload, id };
  } catch {
    return null;
  }
}
