/** Room: the connection that is prepared in the lobby, and what is sent without waiting for replies. */
import { describe, expect, test, vi } from 'vitest';
import { FakeMedia } from './media.fake';
import { RoomFixture, ben, media, settle, turnCameraOn } from './room.fake';
import { ConnectionLost, Refusal } from './signalling';

const call = new RoomFixture();

const requested = () => call.server.requests.map(({ type }) => type);

async function prepare(): Promise<void> {
  call.room.prepare();
  call.server.connect();
  await settle();
}

describe('a prepared room', () => {
  test('loads the device and does not join', async () => {
    await prepare();
    expect(requested()).toEqual(['getRouterRtpCapabilities']);
    expect(FakeMedia.all).toHaveLength(1);
    expect(call.room.status.value).toBe('idle');
  });

  test('joins on the connection and with the device that it has', async () => {
    await prepare();
    call.server.joined = { ...call.server.joined, ...ben };
    call.room.join();
    expect(requested()).toEqual(['getRouterRtpCapabilities', 'joinRoom', 'createTransport', 'createTransport']);
    await settle();
    expect(call.room.status.value).toBe('live');
    expect(FakeMedia.all).toHaveLength(1);
    expect(media().consumers).toHaveLength(2);
  });

  test('joins when the connection opens if it was not open yet', async () => {
    call.room.prepare();
    call.room.join();
    expect(call.server.retries).toBe(1);
    call.server.connect();
    await settle();
    expect(call.room.status.value).toBe('live');
  });

  test('replaces a lost connection without a message', async () => {
    await prepare();
    for (let i = 0; i < 10; i += 1) call.server.disconnect();
    call.server.notify('serverClosing', { seconds: 2 });
    expect(call.room.status.value).toBe('idle');
    expect(call.room.notifications.value).toEqual([]);
    call.server.connect();
    await settle();
    expect(FakeMedia.all.map(({ closed }) => closed)).toEqual([true, false]);
    call.room.join();
    await settle();
    expect(call.room.status.value).toBe('live');
  });

  test('checks its connection until it joins', async () => {
    await prepare();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.server.count('getRouterRtpCapabilities')).toBe(5);
    call.room.join();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.server.count('getRouterRtpCapabilities')).toBe(5);
  });

  test('tries again after joining when the device could not be prepared', async () => {
    call.server.refusals.set('getRouterRtpCapabilities', new Refusal('Timed out', 'timed-out'));
    await prepare();
    expect(call.room.status.value).toBe('idle');
    call.server.refusals.clear();
    call.room.join();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(call.room.status.value).toBe('live');
  });

  test('closes its connection and leaves no room when the lobby is left', async () => {
    await prepare();
    call.room.leave();
    expect(call.server.closed).toBe(true);
    expect(call.server.count('leaveRoom')).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.server.count('getRouterRtpCapabilities')).toBe(1);
  });
});

describe('requests that were sent with `joinRoom`', () => {
  test('do not matter when joining is refused', async () => {
    await prepare();
    call.server.refusals.set('joinRoom', new Refusal('Room is locked', 'room-locked'));
    call.room.join();
    await settle();
    expect(call.room.failure.value?.code).toBe('room-locked');
    expect(call.server.count('createTransport')).toBe(2);
  });

  test('are repeated with it', async () => {
    call.room.join();
    call.server.refusals.set('joinRoom', new Refusal('Worker lost', 'worker-lost'));
    call.server.connect();
    await settle();
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(call.room.status.value).toBe('live');
    expect(call.server.count('createTransport')).toBe(4);
  });
});

describe('a refused `connectTransport`', () => {
  test('causes a rejoin', async () => {
    turnCameraOn();
    await call.join();
    call.server.refusals.set('connectTransport', new Refusal('Timed out', 'timed-out'));
    media().connect('send');
    await settle();
    expect(call.server.count('joinRoom')).toBe(2);
    expect(call.room.status.value).toBe('live');
  });

  test('is not the same as a lost connection', async () => {
    await call.join();
    call.server.refusals.set('connectTransport', new ConnectionLost('gone'));
    media().connect('send');
    await settle();
    expect(call.server.count('joinRoom')).toBe(1);
  });
});
