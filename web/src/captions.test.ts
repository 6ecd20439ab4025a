import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LINE_SHOWN_MS } from './captionLines';
import { Captions } from './captions';
import { ConnectionLost, Refusal, type RoomSignalling } from './signalling';

const request = vi.fn();
const reportProblem = vi.fn();
const OWN = { id: 'a', name: 'Ada' };

function create(): Captions {
  return new Captions({ request, reportProblem } as unknown as RoomSignalling);
}

beforeEach(() => {
  vi.useFakeTimers();
  request.mockReset().mockResolvedValue({});
  reportProblem.mockReset();
});
afterEach(() => vi.useRealTimers());

test('captions of others are shown for some seconds', () => {
  const captions = create();
  captions.handleCaption({ peerId: 'b', displayName: 'Ben', text: 'Hello', final: true });
  expect(captions.lines.value).toMatchObject([{ speaker: { id: 'b', name: 'Ben' }, text: 'Hello' }]);
  vi.advanceTimersByTime(LINE_SHOWN_MS - 1);
  expect(captions.lines.value).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(captions.lines.value).toHaveLength(0);
});

test('our own captions are sent, and shown here too', async () => {
  const captions = create();
  expect(await captions.send(OWN, 'Hello', false)).toBe(true);
  expect(request).toHaveBeenCalledWith('caption', { text: 'Hello', final: false });
  expect(captions.lines.value).toMatchObject([{ speaker: OWN, text: 'Hello', isFinal: false }]);
});

test('captions end where the server forbids them, and go on after other failures', async () => {
  const captions = create();
  request.mockRejectedValueOnce(new Refusal('slow down', 'rate-limited'));
  expect(await captions.send(OWN, 'one', true)).toBe(true);
  request.mockRejectedValueOnce(new ConnectionLost());
  expect(await captions.send(OWN, 'two', true)).toBe(true);
  expect(reportProblem).not.toHaveBeenCalled();
  request.mockRejectedValueOnce(new Refusal('hosts only', 'forbidden'));
  expect(await captions.send(OWN, 'three', true)).toBe(false);
  expect(reportProblem).toHaveBeenCalledOnce();
});
