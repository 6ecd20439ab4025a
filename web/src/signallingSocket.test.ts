/** Requests, notices and reconnection, over a fake WebSocket. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Notice } from './protocol';
import { ConnectionLost, Refusal } from './signalling';
import { SignallingSocket, backoffMs } from './signallingSocket';

class FakeWebSocket {
  /** All requests but pings. */
  readonly sent: { type: string; payload: unknown; id: string }[] = [];
  /** Whether pings are answered. */
  answers = true;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event?: { code: number }) => void) | null = null;
  closed = false;
  closeCode: number | undefined;

  send(text: string): void {
    const request = JSON.parse(text);
    if (request.type !== 'ping') this.sent.push(request);
    else if (this.answers) queueMicrotask(() => this.deliver({ type: 'done', payload: {}, id: request.id }));
  }

  close(code?: number): void {
    this.closed = true;
    this.closeCode = code;
  }

  deliver(frame: unknown): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }
}

let webSockets: FakeWebSocket[];
let connections: string[];
let delays: number[];
let notices: Notice[];
let silences: boolean[];
let socket: SignallingSocket;

function latest(): FakeWebSocket {
  const last = webSockets.at(-1);
  if (!last) throw new Error('no WebSocket was opened');
  return last;
}

function greet(): void {
  latest().deliver({ type: 'connected', payload: { peerId: `peer_${webSockets.length}` } });
}

beforeEach(() => {
  vi.useFakeTimers();
  [webSockets, connections, delays, notices, silences] = [[], [], [], [], []];
  socket = new SignallingSocket(
    'ws://test/ws',
    {
      onConnected: ({ peerId }) => connections.push(peerId),
      onDisconnected: (ms) => delays.push(ms),
      onResumed: (afterSilence) => connections.push(afterSilence ? 'resumed after silence' : 'resumed'),
      onNotice: (notice) => notices.push(notice),
      onSilence: (silent) => silences.push(silent),
      onWake: () => undefined,
    },
    () => {
      webSockets.push(new FakeWebSocket());
      return latest() as unknown as WebSocket;
    },
    () => 0.5,
  );
});

afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

test('replies are matched to requests by id', async () => {
  socket.open();
  greet();
  const first = socket.request('createTransport', { direction: 'send' });
  const second = socket.request('createTransport', { direction: 'recv' });
  const [a, b] = latest().sent;
  latest().deliver({ type: 'transportCreated', payload: { transportId: 'two' }, id: b?.id });
  latest().deliver({ type: 'transportCreated', payload: { transportId: 'one' }, id: a?.id });
  expect((await first).transportId).toBe('one');
  expect((await second).transportId).toBe('two');
});

test('an error with an id rejects its request; one without is a notice', async () => {
  socket.open();
  greet();
  const request = socket.request('consume', { producerId: 'p', rtpCapabilities: {} });
  latest().deliver({ type: 'error', payload: { message: 'too fast' } });
  latest().deliver({ type: 'error', payload: { message: 'Cannot consume', code: 'cannot-consume' }, id: latest().sent[0]?.id });
  await expect(request).rejects.toMatchObject({ message: 'Cannot consume', code: 'cannot-consume' });
  await expect(request).rejects.toBeInstanceOf(Refusal);
  expect(notices).toEqual([{ type: 'error', payload: { message: 'too fast' } }]);
});

test('frames that cannot be parsed are ignored', () => {
  socket.open();
  greet();
  for (const noise of ['', '{', 'null', '[]', '{"type":1,"payload":{}}', '{"type":"x"}', '{"type":"x","payload":3}']) {
    latest().deliver(noise);
  }
  latest().deliver({ type: 'peerLeft', payload: { peerId: 'p' }, id: 'unknown' });
  expect(notices).toEqual([]);
});

test('requests before the greeting are rejected', async () => {
  socket.open();
  await expect(socket.request('leaveRoom', {})).rejects.toBeInstanceOf(ConnectionLost);
});

test('a server that stops answering is reported, and the connection is replaced on request', async () => {
  socket.open();
  greet();
  socket.retryNow();
  expect(webSockets, 'a connection that works stays').toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(silences).toEqual([]);
  latest().answers = false;
  await vi.advanceTimersByTimeAsync(2_600);
  expect(silences).toEqual([true]);
  latest().deliver({ type: 'peerLeft', payload: { peerId: 'p' } });
  expect(silences).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(2_600);
  const before = latest();
  socket.retryNow();
  expect([before.closed, webSockets.length]).toEqual([true, 2]);
  greet();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(silences).toEqual([true, false, true, false]);
});

test('a lost WebSocket rejects pending requests and is opened again', async () => {
  socket.open();
  greet();
  const request = socket.request('leaveRoom', {});
  latest().onclose?.();
  await expect(request).rejects.toBeInstanceOf(ConnectionLost);
  expect(delays).toEqual([backoffMs(0, 0.5)]);
  vi.advanceTimersByTime(backoffMs(0, 0.5));
  expect(webSockets).toHaveLength(2);
  greet();
  expect(connections).toEqual(['peer_1', 'peer_2']);
});

test('delays grow while the server is unreachable and start over after a greeting', () => {
  socket.open();
  for (let i = 0; i < 8; i += 1) {
    latest().onclose?.();
    vi.advanceTimersByTime(delays.at(-1) ?? 0);
  }
  expect(delays.slice(0, 3)).toEqual([300, 600, 1200]);
  expect(Math.max(...delays)).toBe(6000);
  greet();
  latest().onclose?.();
  expect(delays.at(-1)).toBe(300);
});

test('half of every delay is random', () => {
  expect(backoffMs(0, 0)).toBe(200);
  expect(backoffMs(0, 1)).toBe(400);
  expect(backoffMs(50, 1)).toBe(8000);
});

test('a WebSocket without a greeting is closed', () => {
  socket.open();
  vi.advanceTimersByTime(8_000);
  expect(webSockets[0]?.closed).toBe(true);
  expect(delays).toHaveLength(1);
});

test('a request without a reply closes the WebSocket', async () => {
  socket.open();
  greet();
  const request = socket.request('leaveRoom', {});
  const failed = expect(request).rejects.toBeInstanceOf(ConnectionLost);
  vi.advanceTimersByTime(10_000);
  await failed;
  expect(delays).toHaveLength(1);
  vi.advanceTimersByTime(300);
  expect(webSockets).toHaveLength(2);
});

test('retryNow does not wait for the delay', () => {
  socket.open();
  latest().onclose?.();
  socket.retryNow();
  expect(webSockets).toHaveLength(2);
  vi.advanceTimersByTime(5_000);
  expect(webSockets).toHaveLength(2);
});

test('after close no WebSocket is opened and nothing is reported', () => {
  socket.open();
  greet();
  const old = latest();
  socket.close();
  expect(old.closed).toBe(true);
  old.onclose?.();
  vi.advanceTimersByTime(60_000);
  expect(webSockets).toHaveLength(1);
  expect(delays).toEqual([]);
});

test('a server that restarts is looked for at least every second', () => {
  socket.open();
  greet();
  latest().onclose?.({ code: 1001 });
  for (let attempt = 0; attempt < 12; attempt += 1) {
    vi.advanceTimersByTime(delays.at(-1) ?? 0);
    latest().onclose?.({ code: 1006 });
  }
  expect(Math.max(...delays)).toBe(750);
});

/** Time from the end of a connection to the first attempt at or after `downMs`. */
function returnAfter(closeCode: number, downMs: number): number {
  socket.open();
  greet();
  latest().onclose?.({ code: closeCode });
  let passed = 0;
  while (passed < downMs) {
    const delay = delays.at(-1) ?? 0;
    vi.advanceTimersByTime(delay);
    passed += delay;
    if (passed < downMs) latest().onclose?.({ code: 1006 });
  }
  socket.close();
  return passed;
}

test('a server that is restarted is back no later than one that was killed', () => {
  let [restartedMs, killedMs] = [0, 0];
  for (let downMs = 100; downMs <= 30_000; downMs += 100) {
    restartedMs += returnAfter(1001, downMs);
    killedMs += returnAfter(1006, downMs);
  }
  expect(restartedMs).toBeLessThan(killedMs);
});

test('the notice of a restart counts when a proxy hides the close code', () => {
  socket.open();
  greet();
  latest().deliver({ type: 'serverClosing', payload: { seconds: 5 } });
  expect(notices.map(({ type }) => type)).toEqual(['serverClosing']);
  for (let attempt = 0; attempt < 8; attempt += 1) {
    latest().onclose?.();
    vi.advanceTimersByTime(delays.at(-1) ?? 0);
  }
  expect(Math.max(...delays)).toBe(750);
});

describe('a session that is kept', () => {
  const secret = 'a secret of this tab';

  /** Opens a connection and keeps its session, of which `frames` frames have arrived. */
  function keep(frames: number): void {
    socket.open();
    greet();
    socket.keepSession(secret);
    for (let seq = 1; seq <= frames; seq += 1) latest().deliver({ type: 'chat', payload: {}, seq });
  }

  /** Loses the connection, and opens the next one. */
  function reopen(): void {
    latest().onclose?.();
    vi.advanceTimersByTime(delays.at(-1) ?? 0);
    greet();
  }

  const confirm = (lastRequest?: string) => {
    latest().deliver({ type: 'resumed', payload: { ...(lastRequest && { lastRequest }) }, id: 'resume' });
  };
  const typesSent = () => latest().sent.map(({ type }) => type);

  test('is resumed with the number of the last frame, and no notice arrives twice', () => {
    keep(2);
    reopen();
    expect(latest().sent).toEqual([
      { type: 'resumeSession', payload: { peerId: 'peer_1', resume: secret, seq: 2 }, id: 'resume' },
    ]);
    expect(connections).toEqual(['peer_1']);
    confirm();
    expect(connections).toEqual(['peer_1', 'resumed']);
    for (const seq of [2, 3, 4]) latest().deliver({ type: 'peerLeft', payload: { peerId: 'p' }, seq });
    expect(notices.map(({ type }) => type)).toEqual(['chat', 'chat', 'peerLeft', 'peerLeft']);
    // A second loss names the session again, not the connection.
    reopen();
    expect(latest().sent[0]?.payload).toEqual({ peerId: 'peer_1', resume: secret, seq: 4 });
  });

  test('sends what has not arrived again, in its order, and gets each reply once', async () => {
    keep(1);
    const arrived = socket.request('leaveRoom', {});
    const lost = socket.request('getParticipants', {});
    latest().onclose?.();
    const waiting = socket.request('requestToSpeak', {});
    vi.advanceTimersByTime(delays.at(-1) ?? 0);
    greet();
    expect(typesSent()).toEqual(['resumeSession']);
    const id = (type: string) => webSockets.flatMap(({ sent }) => sent).find((it) => it.type === type)?.id ?? '';
    confirm(id('leaveRoom'));
    expect(typesSent()).toEqual(['resumeSession', 'getParticipants', 'requestToSpeak']);
    latest().deliver({ type: 'roomLeft', payload: { roomId: 'r' }, id: id('leaveRoom'), seq: 2 });
    latest().deliver({ type: 'participants', payload: { participants: [] }, id: id('getParticipants'), seq: 3 });
    latest().deliver({ type: 'done', payload: {}, id: id('requestToSpeak'), seq: 4 });
    expect(await Promise.all([arrived, lost, waiting])).toEqual([{ roomId: 'r' }, { participants: [] }, {}]);
    expect(notices).toHaveLength(1);
  });

  test('ends when the server does not know it: requests fail, and the page joins anew', async () => {
    keep(1);
    const request = socket.request('leaveRoom', {});
    reopen();
    latest().deliver({ type: 'error', payload: { message: 'Session not found', code: 'session-not-found' }, id: 'resume' });
    await expect(request).rejects.toBeInstanceOf(ConnectionLost);
    expect(connections).toEqual(['peer_1', 'peer_2']);
    reopen();
    expect(typesSent(), 'the new session is not kept yet').toEqual([]);
  });

  test('tells the server whether a connection is closed for good', () => {
    keep(1);
    latest().answers = false;
    vi.advanceTimersByTime(4_000);
    const [lost = latest()] = webSockets;
    socket.retryNow();
    expect(lost.closeCode).toBe(4000);
    greet();
    confirm();
    socket.close();
    expect(latest().closed).toBe(true);
    expect(latest().closeCode).toBeUndefined();
  });

  test('goes on over a second connection when nothing arrives on the first', async () => {
    keep(1);
    const [first = latest()] = webSockets;
    first.answers = false;
    vi.advanceTimersByTime(2_500);
    expect(webSockets.length).toBe(2);
    const request = socket.request('getParticipants', {});
    greet();
    expect(first.closeCode).toBe(4000);
    expect(delays).toEqual([0]);
    expect(typesSent()).toEqual(['resumeSession']);
    confirm();
    expect(connections).toEqual(['peer_1', 'resumed after silence']);
    expect(typesSent()).toEqual(['resumeSession', 'getParticipants']);
    latest().deliver({ type: 'participants', payload: { participants: [] }, id: latest().sent.at(-1)?.id, seq: 2 });
    expect(await request).toEqual({ participants: [] });
    // The next loss is no silence.
    reopen();
    confirm();
    expect(connections.at(-1)).toBe('resumed');
  });

  test('stays with the first connection when that speaks again, and tries others until then', () => {
    keep(1);
    const [first = latest()] = webSockets;
    first.answers = false;
    vi.advanceTimersByTime(2_500);
    expect(webSockets.length).toBe(2);
    vi.advanceTimersByTime(1_000);
    expect(webSockets.map(({ closed }) => closed), 'no greeting within a second').toEqual([false, true, false]);
    latest().onclose?.();
    vi.advanceTimersByTime(400);
    expect(webSockets.length, 'the third one failed').toBe(4);
    first.deliver({ type: 'chat', payload: {}, seq: 2 });
    expect(webSockets.map(({ closed }) => closed)).toEqual([false, true, true, true]);
    expect([connections, delays, silences]).toEqual([['peer_1'], [], [true, false]]);
  });

  test('keeps a bounded number of requests', async () => {
    keep(1);
    latest().onclose?.();
    const requests = Array.from({ length: 151 }, () => socket.request('requestToSpeak', {}));
    await expect(requests.at(-1)).rejects.toBeInstanceOf(ConnectionLost);
    const failing = expect(requests[0]).rejects.toBeInstanceOf(ConnectionLost);
    for (const request of requests) request.catch(() => undefined);
    socket.close();
    await failing;
  });
});
