/** Sharing screens, with a fake of the browser's dialog. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SCREENS_MAX, ScreenCapture } from './screenCapture';

class FakeTrack extends EventTarget {
  contentHint = '';
  stopped = false;
  frameRate = 0;

  constructor(
    readonly kind: 'audio' | 'video',
    readonly id: string,
  ) {
    super();
  }

  async applyConstraints({ frameRate }: { frameRate: { max: number } }): Promise<void> {
    this.frameRate = frameRate.max;
  }

  stop(): void {
    this.stopped = true;
  }
}

/** Tracks that the dialog has given, oldest first. */
let given: FakeTrack[] = [];
/** What the dialog throws; null when the person chooses a screen. */
let refusal: unknown = null;

beforeEach(() => {
  given = [];
  refusal = null;
  const getDisplayMedia = async () => {
    if (refusal) throw refusal;
    const [video, audio] = [new FakeTrack('video', `screen ${given.length}`), new FakeTrack('audio', 'sound')];
    given.push(video, audio);
    return { getVideoTracks: () => [video], getAudioTracks: () => [audio] };
  };
  vi.stubGlobal('navigator', { mediaDevices: { getDisplayMedia } });
});
afterEach(() => void vi.unstubAllGlobals());

test('a screen is shared as text, with its sound, until it is stopped', async () => {
  const capture = new ScreenCapture();
  expect(await capture.start()).toBeNull();
  const [screen] = capture.screens.value;
  expect([screen?.mode, given[0]?.contentHint, given[0]?.frameRate]).toEqual(['text', 'text', 15]);
  expect(screen?.audio).toBe(given[1]);
  capture.stop(screen?.id ?? '');
  expect(capture.screens.value).toEqual([]);
  expect(given.map(({ stopped }) => stopped)).toEqual([true, true]);
});

test('a screen that the browser ends is not shared any more, nor heard', async () => {
  const capture = new ScreenCapture();
  await capture.start();
  given[0]?.dispatchEvent(new Event('ended'));
  expect(capture.screens.value).toEqual([]);
  expect(given[1]?.stopped).toBe(true);
});

test('motion has more pictures per second than text', async () => {
  const capture = new ScreenCapture();
  await capture.start();
  capture.setMode(capture.screens.value[0]?.id ?? '', 'motion');
  expect(capture.screens.value[0]?.mode).toBe('motion');
  expect([given[0]?.contentHint, given[0]?.frameRate]).toEqual(['motion', 30]);
});

test('no more screens are shared than permitted', async () => {
  const capture = new ScreenCapture();
  for (let i = 0; i <= SCREENS_MAX; i += 1) await capture.start();
  expect(capture.screens.value).toHaveLength(SCREENS_MAX);
  capture.stopAll();
  expect(given.every(({ stopped }) => stopped)).toBe(true);
});

test.each([
  ['the person cancels', new DOMException('Permission denied', 'NotAllowedError'), null],
  ['the system forbids it', new DOMException('Permission denied by system', 'NotAllowedError'), 'denied'],
  ['the screen cannot be read', new DOMException('Could not start', 'NotReadableError'), 'failed'],
  ['the browser fails', new TypeError('no'), 'failed'],
])('nothing is shared when %s', async (_, error, expected) => {
  refusal = error;
  const capture = new ScreenCapture();
  expect(await capture.start()).toBe(expected);
  expect(capture.screens.value).toEqual([]);
});
