/**
 * The signalling WebSocket: matches replies to requests, passes notices on and
 * reconnects after a loss. Knows frames and timeouts, not what a request means.
 *
 * 1. `open` opens a WebSocket. 2. The server sends `connected`; requests may be sent.
 * 3. Requests carry ids, replies are matched by id, all other frames are notices. A request every second shows
 * whether the server answers.
 * 4. When the WebSocket closes, it is opened again after a growing, random delay, until `close`.
 * 5. After `keepSession`, the new connection resumes the session: the server sends the frames after the last one that
 * arrived here, and what it has not received is sent again. Otherwise, or when it cannot, pending requests fail.
 * 6. While nothing arrives on an open WebSocket of such a session, a second one is tried: a device that has got another
 * address keeps a connection on which nothing will ever arrive. The first of both that speaks goes on.
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
/** A session waits half a minute for its client, who goes on as soon as there is a line. */
const RESUME_BACKOFF_MS_MAX = 1_000;
/** Attempts in that time. */
const RESUME_ATTEMPTS = 30;
/** A second connection that is not greeted within this time, twice as long each time, is replaced by another. */
const SPARE_MS_FIRST = 1_000;
/** Close code that tells the server that the session will be resumed. */
const CLOSE_TO_RESUME = 4000;
/** Upper bound of requests that wait for a connection: fewer than the server accepts at once. */
const QUEUED_MAX = 150;
/** Id of the request that resumes a session; other ids are numbers. */
const RESUME_ID = 'resume';

/**
 * Returns the delay before reconnection number `attempt`, counted from 0. Half of it is random, so
 * that a thousand pages that lost one server do not all reconnect at the same instant.
 */
export function backoffMs(attempt: number, random: number, max = BACKOFF_MS_MAX): number {
  const full = Math.min(max, BACKOFF_MS_FIRST * 2 ** attempt);
  return Math.round(full / 2 + (full / 2) * random);
}

interface PendingRequest {
  type: RequestType;
  /** The frame as it is sent, perhaps more than once. */
  text: string;
  resolve(payload: never): void;
  reject(error: Error): void;
  /** Runs while the reply is awaited. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A session that can be resumed. */
interface KeptSession {
  peerId: string;
  secret: string;
}

export class SignallingSocket implements SignallingConnection {
  private webSocket: WebSocket | null = null;
  private readonly pending = new Map<string, PendingRequest>();
  private lastId = 0;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shouldReconnect = false;
  /** Whether requests may be sent. */
  private greeted = false;
  private greeting: Connected | null = null;
  /** Our id in the session. */
  private peerId = '';
  private session: KeptSession | null = null;
  /** Number of the last frame of the session. */
  private lastSeq = 0;
  /** Time until which the server is expected to come back from a restart. */
  private restartUntil = 0;
  /** Second connection, while nothing arrives on the first. */
  private spare: WebSocket | null = null;
  private spareTimer: ReturnType<typeof setTimeout> | undefined;
  /** Whether nothing arrived any more on the connection before. */
  private wasSilent = false;
  private readonly heartbeat = new Heartbeat({
    sendPing: () => void this.request('ping', this.session ? { seq: this.lastSeq } : {}).catch(() => undefined),
    onSilence: (silent) => this.handleSilence(silent),
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
    this.session = null;
    clearTimeout(this.timer);
    this.closeWebSocket();
    this.rejectAll('closed');
  }

  keepSession(secret: string): void {
    this.session = { peerId: this.peerId, secret };
  }

  retryNow(): void {
    if (!this.shouldReconnect) return;
    if (this.heartbeat.isSilent) this.handleLoss('no answer');
    if (this.webSocket) return;
    this.attempt = 0;
    this.connect();
  }

  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>> {
    const canWait = this.session !== null && this.pending.size < QUEUED_MAX;
    if (!this.greeted && !canWait) return Promise.reject(new ConnectionLost('not connected'));
    this.lastId += 1;
    const id = String(this.lastId);
    return new Promise((resolve, reject) => {
      const request: PendingRequest = { type, text: JSON.stringify({ type, payload, id }), resolve, reject, timer: undefined };
      this.pending.set(id, request);
      if (this.greeted) this.send(request);
    });
  }

  private send(request: PendingRequest): void {
    this.startTimer(request);
    this.webSocket?.send(request.text);
  }

  private startTimer(request: PendingRequest): void {
    const { webSocket } = this;
    request.timer = setTimeout(() => {
      if (this.webSocket === webSocket) this.handleLoss(`no reply to ${request.type}`);
    }, REPLY_MS_MAX);
  }

  private connect(): void {
    this.use(this.createWebSocket(this.url));
  }

  /** Makes a WebSocket that is new, or was not greeted yet, the connection. */
  private use(webSocket: WebSocket): void {
    clearTimeout(this.timer);
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

  private handleSilence(silent: boolean): void {
    this.closeSpare();
    if (silent && this.session) this.openSpare(SPARE_MS_FIRST);
    this.events.onSilence(silent);
  }

  /** Opens a second connection, and another one when nothing comes of it in time. */
  private openSpare(greetingMs: number): void {
    const spare = this.createWebSocket(this.url);
    this.spare = spare;
    spare.onmessage = (event: MessageEvent) => this.replaceBySpare(spare, event);
    const tryAgain = (afterMs: number, nextGreetingMs: number) => {
      clearTimeout(this.spareTimer);
      this.spareTimer = setTimeout(() => {
        this.closeSpare();
        this.openSpare(nextGreetingMs);
      }, afterMs);
    };
    tryAgain(greetingMs, 2 * greetingMs);
    // Without any network, it fails at once.
    spare.onclose = () => tryAgain(BACKOFF_MS_FIRST, greetingMs);
  }

  private closeSpare(): void {
    clearTimeout(this.spareTimer);
    if (this.spare) discard(this.spare);
    this.spare = null;
  }

  /** Goes on over the second connection, which has spoken first. */
  private replaceBySpare(spare: WebSocket, greeting: MessageEvent): void {
    clearTimeout(this.spareTimer);
    this.spare = null;
    this.wasSilent = true;
    this.closeWebSocket(CLOSE_TO_RESUME);
    this.suspendRequests();
    this.events.onDisconnected(0, true);
    this.use(spare);
    this.handleMessage(spare, greeting.data);
  }

  private handleMessage(webSocket: WebSocket, data: unknown): void {
    if (this.webSocket !== webSocket) return;
    const frame = parseFrame(data);
    if (!frame) return;
    this.heartbeat.recordFrame();
    if (frame.seq !== undefined) {
      if (frame.seq <= this.lastSeq) return;
      this.lastSeq = frame.seq;
    }
    if (frame.id === RESUME_ID) return this.handleResumeReply(frame);
    if (frame.id !== undefined) {
      this.handleReply(String(frame.id), frame);
      return;
    }
    if (frame.type === 'connected') return this.handleGreeting(webSocket, frame.payload as Connected);
    // A proxy may replace the close code that follows.
    if (frame.type === 'serverClosing') this.expectRestart((frame.payload as ServerClosing).seconds * 1_000);
    this.events.onNotice(frame as Notice);
  }

  private handleGreeting(webSocket: WebSocket, greeting: Connected): void {
    const { session } = this;
    this.greeting = greeting;
    if (!session) return this.startSession(greeting);
    const payload: PayloadOf<'resumeSession'> = { peerId: session.peerId, resume: session.secret, seq: this.lastSeq };
    webSocket.send(JSON.stringify({ type: 'resumeSession', payload, id: RESUME_ID }));
  }

  /** Starts a new session over the connection that is open. */
  private startSession(greeting: Connected): void {
    this.wasSilent = false;
    this.peerId = greeting.peerId;
    this.lastSeq = 0;
    this.startRequests();
    this.events.onConnected(greeting);
  }

  private startRequests(): void {
    clearTimeout(this.timer);
    this.greeted = true;
    this.attempt = 0;
    this.restartUntil = 0;
    this.heartbeat.start();
  }

  private handleResumeReply(frame: Frame): void {
    if (frame.type === 'error') {
      this.session = null;
      this.rejectAll('session not resumed');
      if (this.greeting) this.startSession(this.greeting);
      return;
    }
    // Requests up to this one have arrived: their replies are among the frames that follow.
    const { lastRequest = 0 } = frame.payload as ReplyOf<'resumeSession'>;
    // In their order, and before any new one: the last one that arrives stands for all before.
    for (const [id, request] of this.pending) {
      if (Number(id) > Number(lastRequest)) this.send(request);
      else this.startTimer(request);
    }
    this.startRequests();
    this.events.onResumed(this.wasSilent);
    this.wasSilent = false;
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

  private backoffMax(): number {
    if (Date.now() < this.restartUntil) return RESTART_BACKOFF_MS_MAX;
    return this.session && this.attempt < RESUME_ATTEMPTS ? RESUME_BACKOFF_MS_MAX : BACKOFF_MS_MAX;
  }

  private handleLoss(reason: string): void {
    clearTimeout(this.timer);
    const keepsSession = this.session !== null;
    this.wasSilent ||= this.heartbeat.isSilent;
    this.closeWebSocket(keepsSession ? CLOSE_TO_RESUME : undefined);
    if (keepsSession) this.suspendRequests();
    else this.rejectAll(reason);
    if (!this.shouldReconnect) return;
    const retryMs = backoffMs(this.attempt, this.random(), this.backoffMax());
    this.attempt += 1;
    this.timer = setTimeout(() => this.connect(), retryMs);
    this.events.onDisconnected(retryMs, keepsSession);
  }

  private closeWebSocket(code?: number): void {
    const { webSocket } = this;
    this.webSocket = null;
    this.greeted = false;
    this.heartbeat.stop();
    if (webSocket) discard(webSocket, code);
  }

  /** Keeps pending requests until the session is resumed. Pings have no use then. */
  private suspendRequests(): void {
    for (const [id, request] of this.pending) {
      clearTimeout(request.timer);
      request.timer = undefined;
      if (request.type !== 'ping') continue;
      this.pending.delete(id);
      request.reject(new ConnectionLost('connection lost'));
    }
  }

  private rejectAll(reason: string): void {
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new ConnectionLost(reason));
    }
    this.pending.clear();
  }
}

/** Closes a WebSocket of which nothing is wanted any more. */
function discard(webSocket: WebSocket, code?: number): void {
  webSocket.onmessage = null;
  webSocket.onclose = null;
  if (code === undefined) webSocket.close();
  else webSocket.close(code);
}

/** Returns null for a frame that is not understood: what a newer server adds must not break the page. */
function parseFrame(data: unknown): Frame | null {
  if (typeof data !== 'string') return null;
  try {
    const frame: unknown = JSON.parse(data);
    if (typeof frame !== 'object' || frame === null) return null;
    const { type, payload, id, seq } = frame as Partial<Frame>;
    if (typeof type !== 'string' || typeof payload !== 'object' || payload === null) return null;
    return {
      type,
      payload,
      ...(id !== undefined && id !== null && { id }),
      ...(typeof seq === 'number' && { seq }),
    };
  } catch {
    return null;
  }
}
