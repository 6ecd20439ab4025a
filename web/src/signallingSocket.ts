/**
 * The signalling WebSocket: matches replies to requests, passes notices on and
 * reconnects after a loss. Knows frames and timeouts, not what a request means.
 *
 * 1. `open` opens a WebSocket. 2. The server sends `connected`; requests may be sent.
 * 3. Requests carry ids, replies are matched by id, all other frames are notices. A request every second shows
 * whether the server answers.
 * 4. When the WebSocket closes, pending requests fail, and it is opened again
 * after a growing, random delay, until `close`.
 */
import { Heartbeat } from './heartbeat';
import type {
  Connected,
  ErrorPayload,
  Frame,
  Notice,
  PayloadOf,
  ReplyOf,
  RequestType,
  ServerClosing,
} from './protocol';
import { ConnectionLost, Refusal, type SignallingConnection, type SignallingEvents } from './signalling';

/** A request unanswered for this long means that the connection is dead, whatever the browser reports. */
const REPLY_MS_MAX = 10_000;
/** The server sends `connected` at once; without it for this long, the WebSocket is opened again. */
const GREETING_MS_MAX = 8_000;
const BACKOFF_MS_FIRST = 400;
const BACKOFF_MS_MAX = 8_000;
/** Close codes of a server that ends to be started again: going away, service restart (RFC 6455, IANA). */
const RESTART_CODES = new Set([1001, 1012]);
/** A server that said so is expected back within this time; the page then looks for it more often. */
const RESTART_MS = 30_000;
const RESTART_BACKOFF_MS_MAX = 1_000;

/**
 * Returns the delay before reconnection number `attempt`, counted from 0. Half of it is random, so
 * that a thousand pages that lost one server do not all reconnect at the same instant.
 */
export function backoffMs(attempt: number, random: number, max = BACKOFF_MS_MAX): number {
  const full = Math.min(max, BACKOFF_MS_FIRST * 2 ** attempt);
  return Math.round(full / 2 + (full / 2) * random);
}

interface PendingRequest {
  resolve(payload: never): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

export class SignallingSocket implements SignallingConnection {
  private webSocket: WebSocket | null = null;
  private readonly pending = new Map<string, PendingRequest>();
  private lastId = 0;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shouldReconnect = false;
  private greeted = false;
  /** Time until which the server is expected to come back from a restart. */
  private restartUntil = 0;
  private readonly heartbeat = new Heartbeat({
    sendPing: () => void this.request('ping', {}).catch(() => undefined),
    onSilence: (silent) => this.events.onSilence(silent),
    onWake: () => this.events.onWake(),
  });

  constructor(
    private readonly url: string,
    private readonly events: SignallingEvents,
    private readonly createWebSocket: (url: string) => WebSocket = (address) => new WebSocket(address),
    private readonly random: () => number = Math.random,
  ) {}

  open(): void {
    this.shouldReconnect = true;
    this.connect();
  }

  /** Closes the connection for good; no event follows. */
  close(): void {
    this.shouldReconnect = false;
    clearTimeout(this.timer);
    this.closeWebSocket('closed');
  }

  retryNow(): void {
    if (!this.shouldReconnect) return;
    if (this.heartbeat.isSilent) this.handleLoss('no answer');
    if (this.webSocket) return;
    this.attempt = 0;
    this.connect();
  }

  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>> {
    const { webSocket } = this;
    if (!webSocket || !this.greeted) return Promise.reject(new ConnectionLost('not connected'));
    this.lastId += 1;
    const id = String(this.lastId);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (this.webSocket === webSocket) this.handleLoss(`no reply to ${type}`);
      }, REPLY_MS_MAX);
      this.pending.set(id, { resolve, reject, timer });
      webSocket.send(JSON.stringify({ type, payload, id }));
    });
  }

  private connect(): void {
    clearTimeout(this.timer);
    const webSocket = this.createWebSocket(this.url);
    this.webSocket = webSocket;
    this.greeted = false;
    webSocket.onmessage = (event: MessageEvent) => this.handleMessage(webSocket, event.data);
    webSocket.onclose = (event?: CloseEvent) => {
      if (this.webSocket !== webSocket) return;
      if (RESTART_CODES.has(event?.code ?? 0)) this.expectRestart(0);
      this.handleLoss('socket closed');
    };
    this.timer = setTimeout(() => {
      if (this.webSocket === webSocket) this.handleLoss('no greeting');
    }, GREETING_MS_MAX);
  }

  private handleMessage(webSocket: WebSocket, data: unknown): void {
    if (this.webSocket !== webSocket) return;
    const frame = parseFrame(data);
    if (!frame) return;
    this.heartbeat.recordFrame();
    if (frame.id !== undefined) {
      this.handleReply(String(frame.id), frame);
      return;
    }
    if (frame.type === 'connected') {
      clearTimeout(this.timer);
      this.greeted = true;
      this.attempt = 0;
      this.restartUntil = 0;
      this.heartbeat.start();
      this.events.onConnected(frame.payload as Connected);
      return;
    }
    // A proxy may replace the close code that follows.
    if (frame.type === 'serverClosing') this.expectRestart((frame.payload as ServerClosing).seconds * 1_000);
    this.events.onNotice(frame as Notice);
  }

  private expectRestart(inMs: number): void {
    this.restartUntil = Date.now() + inMs + RESTART_MS;
  }

  private handleReply(id: string, frame: Frame): void {
    const request = this.pending.get(id);
    if (!request) return;
    this.pending.delete(id);
    clearTimeout(request.timer);
    if (frame.type === 'error') {
      const { message, code } = frame.payload as ErrorPayload;
      request.reject(new Refusal(message, code));
    } else {
      request.resolve(frame.payload as never);
    }
  }

  private handleLoss(reason: string): void {
    clearTimeout(this.timer);
    this.closeWebSocket(reason);
    if (!this.shouldReconnect) return;
    const max = Date.now() < this.restartUntil ? RESTART_BACKOFF_MS_MAX : BACKOFF_MS_MAX;
    const retryMs = backoffMs(this.attempt, this.random(), max);
    this.attempt += 1;
    this.timer = setTimeout(() => this.connect(), retryMs);
    this.events.onDisconnected(retryMs);
  }

  private closeWebSocket(reason: string): void {
    const { webSocket } = this;
    this.webSocket = null;
    this.greeted = false;
    this.heartbeat.stop();
    if (webSocket) {
      webSocket.onmessage = null;
      webSocket.onclose = null;
      webSocket.close();
    }
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new ConnectionLost(reason));
    }
    this.pending.clear();
  }
}

/** Returns null for a frame that is not understood: what a newer server adds must not break the page. */
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
