/** Spatial layers by the size of tiles. */
import { expect, test } from 'vitest';
import { MANY_VIDEOS, spatialLayerFor } from './spatialLayer';

test('a small tile needs a low layer', () => {
  expect([90, 129, 131, 400, 410, 1080].map((height) => spatialLayerFor(height, 3, null, 1))).toEqual([0, 0, 1, 1, 2, 2]);
});

test('the better of two layers is a whole picture of 360 lines', () => {
  expect([90, 129, 131, 360, 1080].map((height) => spatialLayerFor(height, 2, null, 1))).toEqual([0, 0, 1, 1, 1]);
});

test('a video with one layer has no other', () => {
  expect([1, 5_000].map((height) => spatialLayerFor(height, 1, null, 1))).toEqual([0, 0]);
});

test('the height of the best layer decides where it is known', () => {
  expect([130, 300, 400, 600].map((height) => spatialLayerFor(height, 3, 1_080, 1))).toEqual([0, 1, 1, 1]);
  expect([90, 100, 300, 400].map((height) => spatialLayerFor(height, 3, 540, 1))).toEqual([0, 1, 1, 2]);
});

test('the lowest layer is shown a little larger than it is among many videos', () => {
  const layersAmong = (videos: number) => [129, 155, 206, 208, 410].map((height) => spatialLayerFor(height, 3, null, videos));
  expect(layersAmong(MANY_VIDEOS - 1)).toEqual([0, 1, 1, 1, 2]);
  expect(layersAmong(MANY_VIDEOS)).toEqual([0, 0, 0, 1, 2]);
});
