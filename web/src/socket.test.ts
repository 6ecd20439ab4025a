/** Requests, notices and the way back, over a WebSocket that never was. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Notice } from './protocol';
import { LineLost, Refusal, Socket, backoffMs } from './socket';

class FakeWebSocket {
  readonly sent: { type: string; payload: unknown; id: string }[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  hear(frame: unknown): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }
}

let lines: FakeWebSocket[];
let ups: string[];
let downs: number[];
let notices: Notice[];
let socket: Socket;

function line(): FakeWebSocket {
  const last = lines.at(-1);
  if (!last) throw new Error('nothing was dialled');
  return last;
}

function greet(): void {
  line().hear({ type: 'connected', payload: { peerId: `peer_${lines.length}` } });
}

beforeEach(() => {
  vi.useFakeTimers();
  [lines, ups, downs, notices] = [[], [], [], []];
  socket = new Socket(
    'ws://test/ws',
    { up: ({ peerId }) => ups.push(peerId), down: (ms) => downs.push(ms), notice: (notice) => notices.push(notice) },
    () => {
      lines.push(new FakeWebSocket());
      return line() as unknown as WebSocket;
    },
    () => 0.5,
  );
});

afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

test('a reply finds its request by id, whatever the order', async () => {
  socket.open();
  greet();
  const first = socket.request('createTransport', { direction: 'send' });
  const second = socket.request('createTransport', { direction: 'recv' });
  const [a, b] = line().sent;
  line().hear({ type: 'transportCreated', payload: { transportId: 'two' }, id: b?.id });
  line().hear({ type: 'transportCreated', payload: { transportId: 'one' }, id: a?.id });
  expect((await first).transportId).toBe('one');
  expect((await second).transportId).toBe('two');
});

test('an error with an id refuses its request; one without is a notice', async () => {
  socket.open();
  greet();
  const request = socket.request('consume', { producerId: 'p', rtpCapabilities: {} });
  line().hear({ type: 'error', payload: { message: 'too fast' } });
  line().hear({ type: 'error', payload: { message: 'Cannot consume', code: 'cannot-consume' }, id: line().sent[0]?.id });
  await expect(request).rejects.toMatchObject({ message: 'Cannot consume', code: 'cannot-consume' });
  await expect(request).rejects.toBeInstanceOf(Refusal);
  expect(notices).toEqual([{ type: 'error', payload: { message: 'too fast' } }]);
});

test('frames nobody can read are passed over', () => {
  socket.open();
  greet();
  for (const noise of ['', '{', 'null', '[]', '{"type":1,"payload":{}}', '{"type":"x"}', '{"type":"x","payload":3}']) {
    line().hear(noise);
  }
  line().hear({ type: 'peerLeft', payload: { peerId: 'p' }, id: 'never asked' });
  expect(notices).toEqual([]);
});

test('before the greeting nothing can be asked', async () => {
  socket.open();
  await expect(socket.request('leaveRoom', {})).rejects.toBeInstanceOf(LineLost);
});

test('a lost socket fails what is waiting and is dialled again', async () => {
  socket.open();
  greet();
  const request = socket.request('leaveRoom', {});
  line().onclose?.();
  await expect(request).rejects.toBeInstanceOf(LineLost);
  expect(downs).toEqual([backoffMs(0, 0.5)]);
  vi.advanceTimersByTime(backoffMs(0, 0.5));
  expect(lines).toHaveLength(2);
  greet();
  expect(ups).toEqual(['peer_1', 'peer_2']);
});

test('pauses grow while the server stays away, and start over after a greeting', () => {
  socket.open();
  for (let i = 0; i < 8; i += 1) {
    line().onclose?.();
    vi.advanceTimersByTime(downs.at(-1) ?? 0);
  }
  expect(downs.slice(0, 3)).toEqual([300, 600, 1200]);
  expect(Math.max(...downs)).toBe(6000);
  greet();
  line().onclose?.();
  expect(downs.at(-1)).toBe(300);
});

test('half of every pause is random', () => {
  expect(backoffMs(0, 0)).toBe(200);
  expect(backoffMs(0, 1)).toBe(400);
  expect(backoffMs(50, 1)).toBe(8000);
});

test('a server that accepts and stays silent is given up', () => {
  socket.open();
  vi.advanceTimersByTime(8_000);
  expect(lines[0]?.closed).toBe(true);
  expect(downs).toHaveLength(1);
});

test('a request without an answer means a dead line', async () => {
  socket.open();
  greet();
  const request = socket.request('leaveRoom', {});
  const failed = expect(request).rejects.toBeInstanceOf(LineLost);
  vi.advanceTimersByTime(10_000);
  await failed;
  expect(downs).toHaveLength(1);
  vi.advanceTimersByTime(300);
  expect(lines).toHaveLength(2);
});

test('retryNow does not wait out the pause', () => {
  socket.open();
  line().onclose?.();
  socket.retryNow();
  expect(lines).toHaveLength(2);
  vi.advanceTimersByTime(5_000);
  expect(lines).toHaveLength(2);
});

test('after close nothing is dialled or reported', () => {
  socket.open();
  greet();
  const old = line();
  socket.close();
  expect(old.closed).toBe(true);
  old.onclose?.();
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(1);
  expect(downs).toEqual([]);
});
