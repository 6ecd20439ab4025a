/** One Socket.IO connection of a test client. Logs all events; rejects acknowledgements that carry `error`. */
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { ClientOptions } from './client';
import type { EventLog } from './media';

const ACK_MS_MAX = 10_000;

/** Starts with long-polling and upgrades to a WebSocket, unless the client must not. */
export function pollingFirst({ pollingOnly }: ClientOptions): ('polling' | 'websocket')[] {
  return pollingOnly ? ['polling'] : ['polling', 'websocket'];
}

export class SocketIoConnection {
  private readonly socket: Socket;

  constructor(url: string, log: EventLog, options: Partial<ManagerOptions & SocketOptions>) {
    // Each client has its own connection, as if it were a page of its own.
    this.socket = io(url, { forceNew: true, autoConnect: false, ...options });
    this.socket.onAny((event: string, payload: unknown) => log.record(event, payload));
    this.socket.io.on('error', (error) => log.failures.push(`connection: ${error.message}`));
  }

  get id(): string {
    return this.socket.id ?? '';
  }

  /** `polling` or `websocket`. */
  get transportName(): string {
    return this.socket.io.engine?.transport.name ?? 'none';
  }

  /** Sets the query of the next connection's URL. */
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

  /** Emits an event and returns the one argument of its acknowledgement. */
  async request<T>(event: string, ...payload: unknown[]): Promise<T> {
    const answer: unknown = await this.socket.timeout(ACK_MS_MAX).emitWithAck(event, ...payload);
    const refusal = refusalIn(answer) ?? refusalIn((answer as { params?: unknown } | null)?.params);
    if (refusal !== null) throw new Error(`${event}: ${refusal}`);
    return answer as T;
  }
}

/** Returns the text of `{error}`, the form in which acknowledgements refuse. */
function refusalIn(answer: unknown): string | null {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return null;
  return String(answer.error);
}
