import { expect, test } from 'vitest';
import { heightOf, knownQuality, largestWidth, offeredWidths } from './cameraQuality';

test.each([
  [1_920, 1_280, [640, 960, 1_280, 1_920]],
  [1_280, 1_280, [640, 960, 1_280]],
  // The chosen one stays in the list, with a camera that does not have it, and if only the page's URL names it.
  [640, 1_280, [640, 1_280]],
  [null, 320, [320, 640, 960, 1_280, 1_920]],
])('a camera of %s pixels offers sizes up to its own, and the chosen %i', (widthMax, chosen, expected) => {
  expect(offeredWidths(widthMax, chosen)).toEqual(expected);
});

test('sizes are named by their height', () => {
  expect([640, 960, 1_280, 1_920].map(heightOf)).toEqual([360, 540, 720, 1_080]);
});

test('stored values that are not to be chosen give the default', () => {
  expect(knownQuality(1_920, 15)).toEqual({ width: 1_920, frameRate: 15 });
  expect(knownQuality('wide', 1_000)).toEqual({ width: 1_280, frameRate: 30 });
  expect(knownQuality(undefined, undefined)).toEqual({ width: 1_280, frameRate: 30 });
});

test('the largest width of a camera is the same whichever way it is held', () => {
  const track = (capabilities?: object) => ({ getCapabilities: capabilities && (() => capabilities) }) as unknown as MediaStreamTrack;
  expect(largestWidth(track({ width: { max: 1_920 }, height: { max: 1_080 } }))).toBe(1_920);
  expect(largestWidth(track({ width: { max: 1_080 }, height: { max: 1_920 } }))).toBe(1_920);
  expect(largestWidth(track({}))).toBeNull();
  expect(largestWidth(track())).toBeNull();
});
