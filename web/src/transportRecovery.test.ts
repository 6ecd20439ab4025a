import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TransportRecovery } from './transportRecovery';

let recovery: TransportRecovery;

beforeEach(() => {
  vi.useFakeTimers();
  recovery = new TransportRecovery({ isLive: () => true, restartIce: () => undefined, rejoin: () => undefined });
});
afterEach(() => vi.useRealTimers());

test('media that does not connect is blocked within three seconds, until it does', () => {
  recovery.handleConnectionState('one', 'send', 'connecting');
  vi.advanceTimersByTime(2_000);
  expect(recovery.blocked.value).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(recovery.blocked.value).toBe(true);
  recovery.handleConnectionState('one', 'send', 'failed');
  expect(recovery.blocked.value).toBe(true);
  // The next attempt changes nothing by itself.
  recovery.reset();
  recovery.handleConnectionState('two', 'send', 'connecting');
  expect(recovery.blocked.value).toBe(true);
  recovery.handleConnectionState('two', 'send', 'connected');
  expect(recovery.blocked.value).toBe(false);
});

test('media is blocked while one of both directions is', () => {
  recovery.handleConnectionState('one', 'send', 'connecting');
  recovery.handleConnectionState('two', 'recv', 'connecting');
  vi.advanceTimersByTime(3_000);
  recovery.handleConnectionState('one', 'send', 'connected');
  expect(recovery.blocked.value).toBe(true);
  recovery.handleConnectionState('two', 'recv', 'connected');
  expect(recovery.blocked.value).toBe(false);
});

test('a transport that was connected is not blocked when it connects again', () => {
  for (const state of ['connecting', 'connected', 'disconnected', 'connecting'] as const) {
    recovery.handleConnectionState('one', 'send', state);
  }
  vi.advanceTimersByTime(10_000);
  expect(recovery.blocked.value).toBe(false);
});

test('transports of an attempt that ended are not blocked', () => {
  recovery.handleConnectionState('one', 'send', 'connecting');
  recovery.reset();
  vi.advanceTimersByTime(10_000);
  expect(recovery.blocked.value).toBe(false);
});
