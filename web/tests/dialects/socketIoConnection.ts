/**
 * One Socket.IO connection of a small client: everything the server says goes
 * into the diary, acknowledgements that carry `error` are refused promises.
 */
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { ClientOptions } from './client';
import type { Diary } from './media';

const ACK_MS_MAX = 10_000;

/** Begins on long-polling, and goes over to a WebSocket unless it must not. */
export function beginning({ pollingOnly }: ClientOptions): ('polling' | 'websocket')[] {
  return pollingOnly ? ['polling'] : ['polling', 'websocket'];
}

export class Line {
  private readonly socket: Socket;

  constructor(url: string, diary: Diary, options: Partial<ManagerOptions & SocketOptions>) {
    // Each client has a connection of its own, as if it were a page of its own.
    this.socket = io(url, { forceNew: true, autoConnect: false, ...options });
    this.socket.onAny((event: string, payload: unknown) => diary.hear(event, payload));
    this.socket.io.on('error', (error) => diary.failures.push(`connection: ${error.message}`));
  }

  get id(): string {
    return this.socket.id ?? '';
  }

  /** `polling` or `websocket`, as it is now. */
  get carrier(): string {
    return this.socket.io.engine?.transport.name ?? 'none';
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  /** What the next connection's address says. */
  set query(query: Record<string, string>) {
    this.socket.io.opts.query = query;
  }

  on<T>(event: string, listener: (payload: T) => void): void {
    this.socket.on(event, listener);
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
      this.socket.connect();
    });
  }

  disconnect(): void {
    this.socket.disconnect();
  }

  emit(event: string, ...payload: unknown[]): void {
    this.socket.emit(event, ...payload);
  }

  /** Emits, and waits for the acknowledgement's one argument. */
  async ask<T>(event: string, ...payload: unknown[]): Promise<T> {
    const answer: unknown = await this.socket.timeout(ACK_MS_MAX).emitWithAck(event, ...payload);
    const refusal = refusalIn(answer) ?? refusalIn((answer as { params?: unknown } | null)?.params);
    if (refusal !== null) throw new Error(`${event}: ${refusal}`);
    return answer as T;
  }
}

/** The text of `{error}`, the one way an acknowledgement refuses. */
function refusalIn(answer: unknown): string | null {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return null;
  return String(answer.error);
}
