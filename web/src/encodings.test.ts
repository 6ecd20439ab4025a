import { describe, expect, it } from 'vitest';
import { SCALABLE, SIMULCAST, SINGLE, fitToDemand, type Demand } from './encodings';

const camera = (demand: Demand) => fitToDemand(SIMULCAST, demand);
const bitrates = (demand: Demand) => camera(demand).map(({ maxBitrate }) => maxBitrate);

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
      fitToDemand(SCALABLE, demand).map(({ active, scalabilityMode, scaleResolutionDownBy }) => [
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
