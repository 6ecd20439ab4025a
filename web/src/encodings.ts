/** Encodings of a video, and what they become when the receivers want less, or can be sent more, of them. */
import type { types } from 'mediasoup-client';
import type { ProducerDemandChanged } from './protocol';

type Encoding = types.RtpEncodingParameters & { maxBitrate: number };

/** What the server tells of the receivers of a producer. */
export type Demand = Omit<ProducerDemandChanged, 'producerId'>;

/** What changes of an encoding while it is sent. */
export interface EncodingSettings {
  active: boolean;
  maxBitrate: number;
  scalabilityMode?: string;
  scaleResolutionDownBy?: number;
}

/**
 * Simulcast encodings, each twice the width of the one before, so that every viewer
 * can be sent the one that fits. Bitrates are upper limits; at 1280×720 VP8 gains
 * nothing visible above the last.
 */
export const SIMULCAST: readonly Encoding[] = [
  { scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 1_700_000, scalabilityMode: 'L1T3' },
];

/**
 * One encoding with three spatial layers, each twice the width of the one before; higher ones need lower ones in
 * keyframes alone.
 */
export const SCALABLE: readonly Encoding[] = [{ maxBitrate: 1_700_000, scalabilityMode: 'L3T3_KEY' }];

export const SINGLE: readonly Encoding[] = [{ maxBitrate: 1_500_000 }];

/** Most that an encoding may have when those who receive it cannot be sent a better one, as a multiple. */
const RAISE_MAX = 3;
/** Least that an encoding is given, in bit/s: less shows nothing. */
const BITRATE_MIN = 50_000;

/**
 * Settings of `SCALABLE` by the number of layers that are wanted. The lowest layer keeps its size, so that the layers
 * keep their numbers.
 */
const SCALED: readonly Omit<EncodingSettings, 'active'>[] = [
  { scalabilityMode: 'L1T3', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { scalabilityMode: 'L2T3_KEY', scaleResolutionDownBy: 2, maxBitrate: 600_000 },
  { scalabilityMode: 'L3T3_KEY', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];

/** Returns the settings of the encodings: layers nobody is sent are off, the others fit the receivers' connections. */
export function fitToDemand(encodings: readonly Encoding[], demand: Demand): EncodingSettings[] {
  if (encodings === SCALABLE) return fitLayersToDemand(demand);
  const { spatialLayer = -1, lowestBitrate, highestBitrate } = demand;
  return encodings.map(({ maxBitrate }, index) => {
    let fitting = maxBitrate;
    if (index === spatialLayer && highestBitrate !== undefined) {
      fitting = Math.min(Math.max(highestBitrate, maxBitrate), maxBitrate * RAISE_MAX);
    }
    if (index === 0 && lowestBitrate !== undefined) fitting = Math.max(BITRATE_MIN, Math.min(fitting, lowestBitrate));
    return { active: index <= spatialLayer, maxBitrate: fitting };
  });
}

function fitLayersToDemand({ spatialLayer }: Demand): EncodingSettings[] {
  const scaled = SCALED[Math.min(spatialLayer ?? 0, SCALED.length - 1)];
  return scaled ? [{ ...scaled, active: spatialLayer !== undefined }] : [];
}
