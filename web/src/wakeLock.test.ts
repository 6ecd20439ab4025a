import { beforeEach, describe, expect, test } from 'vitest';
import { ScreenWakeLock } from './wakeLock';

class FakeDocument extends EventTarget {
  visibilityState: DocumentVisibilityState = 'visible';
  show(state: DocumentVisibilityState): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

interface FakeSentinel {
  released: boolean;
}

let document: FakeDocument;
let sentinels: FakeSentinel[];
let refuse: boolean;
let lock: ScreenWakeLock;

/** Lets pending promises settle. */
const settle = () => new Promise((resolve) => setTimeout(resolve));
const held = () => sentinels.filter(({ released }) => !released).length;

beforeEach(() => {
  document = new FakeDocument();
  [sentinels, refuse] = [[], false];
  const request = async () => {
    if (refuse) throw new DOMException('battery is low', 'NotAllowedError');
    const sentinel = { released: false, release: async () => void (sentinel.released = true) };
    sentinels.push(sentinel);
    return sentinel as unknown as WakeLockSentinel;
  };
  lock = new ScreenWakeLock({ wakeLock: { request }, document: document as unknown as Document });
});

describe('the wake lock', () => {
  test('is held from the beginning of a call to its end', async () => {
    lock.setActive(true);
    await settle();
    expect(held()).toBe(1);
    lock.setActive(false);
    await settle();
    expect(held()).toBe(0);
  });

  test('is requested again when the tab is visible again, and only once', async () => {
    lock.setActive(true);
    await settle();
    document.show('hidden');
    sentinels.forEach((sentinel) => (sentinel.released = true));
    await settle();
    expect(held()).toBe(0);
    document.show('visible');
    document.show('visible');
    await settle();
    expect(held()).toBe(1);
  });

  test('is released when the call ends before it is granted', async () => {
    lock.setActive(true);
    lock.setActive(false);
    await settle();
    expect([sentinels.length, held()]).toEqual([1, 0]);
  });

  test('is requested again after a refusal when the tab is shown', async () => {
    refuse = true;
    lock.setActive(true);
    await settle();
    refuse = false;
    document.show('visible');
    await settle();
    expect(held()).toBe(1);
  });

  test('is not requested after the call', async () => {
    lock.setActive(true);
    await settle();
    lock.setActive(false);
    document.show('visible');
    await settle();
    expect([sentinels.length, held()]).toEqual([1, 0]);
  });
});
