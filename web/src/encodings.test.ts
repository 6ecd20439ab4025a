/** Encodings by the size of the camera, and by what the receivers want. */
import { describe, expect, it, test } from 'vitest';
import { SINGLE, cameraLayers, fitToDemand, scalableEncodings, simulcastEncodings, type Demand } from './encodings';

const SIMULCAST = simulcastEncodings('camera');
const camera = (demand: Demand) => fitToDemand(SIMULCAST, demand);
const bitrates = (demand: Demand) => camera(demand).map(({ maxBitrate }) => maxBitrate);

describe('the layers of a camera', () => {
  test.each([
    [{ width: 1_280, height: 720 }, [4, 2, 1], [150_000, 500_000, 1_700_000]],
    [{ width: 1_920, height: 1_080 }, [4, 2, 1], [300_000, 1_050_000, 3_000_000]],
    [{ width: 960, height: 540 }, [4, 2, 1], [100_000, 300_000, 1_050_000]],
    [{ width: 640, height: 360 }, [2, 1], [150_000, 500_000]],
    [{ width: 480, height: 640 }, [2, 1], [200_000, 650_000]],
    [{ width: 320, height: 180 }, [1], [150_000]],
  ])('fit %o, and the best is the whole picture', (size, scales, rates) => {
    const encodings = simulcastEncodings('camera', size);
    expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual(scales);
    expect(encodings.map(({ maxBitrate }) => maxBitrate)).toEqual(rates);
  });

  test('are as many in one encoding', () => {
    const modes = [1_280, 640, 320].map((width) => scalableEncodings('camera', { width, height: (width * 9) / 16 })[0]);
    expect(modes.map((encoding) => encoding?.scalabilityMode)).toEqual(['L3T3_KEY', 'L2T3_KEY', 'L1T3']);
  });

  test('are three where the size is not known', () => {
    expect(cameraLayers()).toBe(3);
  });
});

describe('a shared screen', () => {
  const SCREEN = { width: 1_920, height: 1_080 };

  test('with text is never sent smaller than it is', () => {
    const encodings = [...simulcastEncodings('text', SCREEN), ...scalableEncodings('text', SCREEN)];
    expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([1, 1, 1]);
    expect(encodings.map(({ scalabilityMode }) => scalabilityMode)).toEqual(['L1T3', 'L1T3', 'L1T3']);
    const slow = fitToDemand(simulcastEncodings('text', SCREEN), { spatialLayer: 0, lowestBitrate: 90_000 });
    expect(slow.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual([1, 1]);
  });

  test('in motion is sent smaller where the connection is slow, and at the full rate', () => {
    const encodings = simulcastEncodings('motion', SCREEN);
    expect(encodings.map(({ scaleResolutionDownBy, maxFramerate }) => [scaleResolutionDownBy, maxFramerate])).toEqual([[2, 30], [1, 30]]);
  });

  test('has as many encodings with text as in motion, so that the person can change between both', () => {
    for (const size of [SCREEN, { width: 400, height: 300 }]) {
      expect(simulcastEncodings('text', size)).toHaveLength(simulcastEncodings('motion', size).length);
    }
  });
});

describe('fitToDemand', () => {
  it('switches off the encodings above the best that is wanted', () => {
    expect(camera({ spatialLayer: 2 }).map(({ active }) => active)).toEqual([true, true, true]);
    expect(camera({ spatialLayer: 1 }).map(({ active }) => active)).toEqual([true, true, false]);
    expect(camera({}).map(({ active }) => active)).toEqual([false, false, false]);
  });

  it('leaves the bitrates where the receivers do not limit them', () => {
    expect(bitrates({ spatialLayer: 2 })).toEqual([150_000, 500_000, 1_700_000]);
  });

  it('raises the best encoding for receivers who cannot be sent a better one', () => {
    expect(bitrates({ spatialLayer: 1, highestBitrate: 630_000 })).toEqual([150_000, 630_000, 1_700_000]);
    expect(bitrates({ spatialLayer: 1, highestBitrate: 9_000_000 })[1]).toBe(1_500_000);
    expect(bitrates({ spatialLayer: 1, highestBitrate: 400_000 })[1]).toBe(500_000);
  });

  it('leaves out the layers of one encoding above the best that is wanted', () => {
    const layers = (demand: Demand) =>
      fitToDemand(scalableEncodings('camera'), demand).map(({ active, scalabilityMode, scaleResolutionDownBy }) => [
        active,
        scalabilityMode,
        scaleResolutionDownBy,
      ]);
    expect(layers({ spatialLayer: 2 })).toEqual([[true, 'L3T3_KEY', 1]]);
    expect(layers({ spatialLayer: 1 })).toEqual([[true, 'L2T3_KEY', 2]]);
    expect(layers({ spatialLayer: 0 })).toEqual([[true, 'L1T3', 4]]);
    expect(layers({})).toEqual([[false, 'L1T3', 4]]);
  });

  it('lowers the lowest encoding for receivers who cannot be sent it otherwise', () => {
    expect(bitrates({ spatialLayer: 2, lowestBitrate: 90_000 })).toEqual([90_000, 500_000, 1_700_000]);
    expect(bitrates({ spatialLayer: 2, lowestBitrate: 3_000 })[0]).toBe(50_000);
    expect(fitToDemand(SINGLE, { spatialLayer: 0, lowestBitrate: 400_000 })).toEqual([{ active: true, maxBitrate: 400_000 }]);
  });
});
