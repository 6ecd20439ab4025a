/**
 * Recovery of a room's transports: restarts ICE on one that stays disconnected, and causes a
 * rejoin when that does not help in time. Opens and closes no transport.
 */
import { signal } from '@preact/signals-core';
import type { ConnectionState } from './media';
import type { Direction } from './protocol';

/** ICE often recovers by itself within this time; only then is it restarted. */
const ICE_RESTART_DELAY_MS = 2_000;
/** A transport that is not connected this long after an ICE restart causes a rejoin. */
const ICE_RESTART_MS_MAX = 6_000;

/** A transport that has not connected this long after it began to is blocked: the person is told within three seconds. */
const CONNECT_MS_MAX = 2_500;

/** What the recovery needs from the room. */
export interface RecoveryActions {
  /** Whether ICE can be restarted now: we are in the room, and signalling works. */
  isLive(): boolean;
  restartIce(transportId: string): void;
  rejoin(): void;
}

interface TransportState {
  id: string;
  state: ConnectionState;
  /** Whether it has not connected in time. */
  isBlocked: boolean;
}

export class TransportRecovery {
  /** Whether a transport is disconnected or has failed. */
  readonly impaired = signal(false);

  /**
   * Whether media does not get through to the server: a transport does not connect at all. The next attempt does not
   * change that before it connects.
   */
  readonly blocked = signal(false);

  /** The present transport of each direction. */
  private readonly transports = new Map<Direction, TransportState>();
  /** Timeouts of transports that connect for the first time, by transport id. */
  private readonly connectTimers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Pending ICE restarts and their timeouts, by transport id. */
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly actions: RecoveryActions) {}

  handleConnectionState(transportId: string, direction: Direction, state: ConnectionState): void {
    const before = this.transports.get(direction);
    const isBlocked = before?.id === transportId && before.isBlocked && state !== 'connected';
    this.transports.set(direction, { id: transportId, state, isBlocked });
    this.impaired.value = [...this.transports.values()].some((transport) => isBroken(transport.state));
    if (state === 'connecting' && !this.connectTimers.has(transportId)) {
      this.connectTimers.set(transportId, setTimeout(() => this.block(direction), CONNECT_MS_MAX));
    }
    if (state === 'connected') {
      clearTimeout(this.connectTimers.get(transportId));
      this.blocked.value = [...this.transports.values()].some((transport) => transport.isBlocked);
      clearTimeout(this.timers.get(transportId));
      this.timers.delete(transportId);
    } else if (isBroken(state) && !this.timers.has(transportId)) {
      const delayMs = state === 'failed' ? 0 : ICE_RESTART_DELAY_MS;
      this.setTimer(transportId, delayMs, () => this.restartIce(transportId));
    }
  }

  /**
   * Restarts ICE on the transports that are not connected: signalling is back, which was lost meanwhile. With `all`, also
   * on those that seem connected: browsers need 5 s to find out that a path leads nowhere, and a path that works goes
   * on to carry media while ICE restarts.
   */
  retry(all = false): void {
    for (const { id, state } of this.transports.values()) {
      if (isBroken(state)) {
        clearTimeout(this.timers.get(id));
        this.restartIce(id);
      } else if (all && state === 'connected' && this.actions.isLive()) this.actions.restartIce(id);
    }
  }

  /** Forgets all transports. */
  reset(): void {
    for (const timers of [this.timers, this.connectTimers]) {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    }
    this.transports.clear();
    this.impaired.value = false;
  }

  private block(direction: Direction): void {
    const transport = this.transports.get(direction);
    if (!transport) return;
    this.transports.set(direction, { ...transport, isBlocked: true });
    this.blocked.value = true;
  }

  private restartIce(transportId: string): void {
    if (!this.actions.isLive()) return;
    this.setTimer(transportId, ICE_RESTART_MS_MAX, () => this.giveUp());
    this.actions.restartIce(transportId);
  }

  /** Causes a rejoin, unless `retry` follows when signalling is back. */
  private giveUp(): void {
    if (this.actions.isLive()) this.actions.rejoin();
  }

  private setTimer(transportId: string, delayMs: number, action: () => void): void {
    this.timers.set(transportId, setTimeout(action, delayMs));
  }
}

function isBroken(state: ConnectionState): boolean {
  return state === 'disconnected' || state === 'failed';
}
