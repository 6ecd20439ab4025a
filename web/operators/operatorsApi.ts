/**
 * The operators' interface (`/api/operators/`), with the bodies of its OpenAPI description. Sends the key with each
 * request, in a header and never in an address.
 */

import type { HistoryCallDetails, HistoryPage } from './historyApi';

export type Phase = 'running' | 'draining' | 'shutting-down';

export interface MediaThread {
  index: number;
  load: number;
  isHung: boolean;
  rooms: number;
  transports: number;
  transportsConnecting: number;
  transportsBroken: number;
  producers: number;
  consumers: number;
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
  restarts: number;
}

export interface LimitUse {
  name: string;
  used: number;
  max: number;
}

export interface CertificateState {
  port: number;
  kind: 'acme' | 'files' | 'self-signed';
  expiresAt: string | null;
}

export interface TurnState {
  allocations: number;
  allocationsMade: number;
  refused: number;
  bytesIn: number;
  bytesOut: number;
}

export interface ServerStatus {
  version: string;
  commit: string;
  at: string;
  startedAt: string;
  uptimeS: number;
  phase: Phase;
  rooms: number;
  participants: number;
  waiting: number;
  /** How full the server is: 0 is idle, 1 is full. */
  capacityUsed: number;
  memoryBytes: number;
  mediaThreads: MediaThread[];
  limits: LimitUse[];
  certificates: CertificateState[];
  turn: TurnState | null;
}

export interface RoomState {
  roomId: string;
  title: string | null;
  participantCount: number;
  waitingCount: number;
  createdAt: string;
  policy: 'open' | 'invite-only' | 'approval' | 'locked';
  dialects: string[];
}

export interface RoomPage {
  rooms: RoomState[];
  next: string | null;
}

export type Quality = 'unknown' | 'good' | 'fair' | 'poor';
export type Problem = 'interrupted' | 'not-connected' | 'loss-sending' | 'loss-receiving' | 'long-round-trip';
export type Route = 'udp' | 'tcp' | 'relay';

export interface SentTrack {
  kind: 'audio' | 'video';
  source: string | null;
  paused: boolean;
}

export interface Person {
  id: string;
  displayName: string;
  role: 'host' | 'producer' | 'consumer' | 'waiting';
  dialect: string;
  device: string | null;
  quality: Quality;
  problems: Problem[];
  route: Route | null;
  sends: SentTrack[];
  receives: number;
  bitrateIn: number;
  bitrateOut: number;
  estimate: number | null;
  lossIn: number | null;
  lossOut: number | null;
  roundTripMs: number | null;
}

export interface RoomDetails {
  room: RoomState;
  participants: Person[];
}

export interface LogLine {
  number: number;
  at: string;
  level: 'warning' | 'error';
  target: string;
  text: string;
}

export interface LogState {
  filter: string;
  configured: string;
  lines: LogLine[];
}

/** Time after which a request counts as failed. */
const TIMEOUT_MS = 5_000;

/** A request that was refused. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class OperatorsApi {
  constructor(private readonly key: string) {}

  status(): Promise<ServerStatus> {
    return this.get('operators/status');
  }

  rooms(after: string | null): Promise<RoomPage> {
    return this.get(after === null ? 'operators/rooms' : `operators/rooms?after=${encodeURIComponent(after)}`);
  }

  room(name: string): Promise<RoomDetails> {
    return this.get(`operators/rooms/${encodeURIComponent(name)}`);
  }

  log(): Promise<LogState> {
    return this.get('operators/log');
  }

  history(): Promise<HistoryPage> {
    return this.get('history');
  }

  call(id: string): Promise<HistoryCallDetails> {
    return this.get(`history/${encodeURIComponent(id)}`);
  }

  async closeRoom(name: string): Promise<void> {
    await this.send('DELETE', `operators/rooms/${encodeURIComponent(name)}`);
  }

  async removePerson(room: string, id: string): Promise<void> {
    await this.send('DELETE', `operators/rooms/${encodeURIComponent(room)}/participants/${encodeURIComponent(id)}`);
  }

  async setDraining(isDraining: boolean): Promise<void> {
    await this.send(isDraining ? 'PUT' : 'DELETE', 'operators/drain');
  }

  async setLogFilter(filter: string): Promise<void> {
    await this.send('PUT', 'operators/log/filter', { filter });
  }

  async resetLogFilter(): Promise<void> {
    await this.send('DELETE', 'operators/log/filter');
  }

  private async get<T>(path: string): Promise<T> {
    return (await this.send('GET', path)).json() as Promise<T>;
  }

  private async send(method: string, path: string, body?: object): Promise<Response> {
    const response = await fetch(`api/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body ? JSON.stringify(body) : null,
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { error?: string };
    throw new ApiError(response.status, problem.error ?? `status ${response.status}`);
  }
}
