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

/** What the recovery needs from the room. */
export interface RecoveryActions {
  /** Whether ICE can be restarted now: we are in the room, and signalling works. */
  isLive(): boolean;
  restartIce(transportId: string): void;
  rejoin(): void;
}

export class TransportRecovery {
  /** Whether a transport is disconnected or has failed. */
  readonly impaired = signal(false);

  private readonly states = new Map<Direction, ConnectionState>();
  private readonly ids = new Map<Direction, string>();
  /** Pending ICE restarts and their timeouts, by transport id. */
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly actions: RecoveryActions) {}

  handleConnectionState(transportId: string, direction: Direction, state: ConnectionState): void {
    this.states.set(direction, state);
    this.ids.set(direction, transportId);
    this.impaired.value = [...this.states.values()].some(isBroken);
    if (state === 'connected') {
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
    for (const [direction, state] of this.states) {
      const transportId = this.ids.get(direction);
      if (!transportId) continue;
      if (isBroken(state)) {
        clearTimeout(this.timers.get(transportId));
        this.restartIce(transportId);
      } else if (all && state === 'connected' && this.actions.isLive()) this.actions.restartIce(transportId);
    }
  }

  /** Forgets all transports. */
  reset(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.states.clear();
    this.ids.clear();
    this.impaired.value = false;
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
