/**
 * Encodings of a video: how many layers a picture of its size has, and what they become when the receivers want less,
 * or can be sent more, of them. Pure.
 */
import type { types } from 'mediasoup-client';
import type { ProducerDemandChanged } from './protocol';
import type { Size } from './tileLayout';

/** What the server tells of the receivers of a producer. */
export type Demand = Omit<ProducerDemandChanged, 'producerId'>;

/**
 * What a video shows. Text must be sharp: it is sent in all its pixels to everybody, few times in a second where the
 * connection is slow. In motion, and with faces, the picture must be smooth.
 */
export type Content = 'camera' | 'text' | 'motion';

/** What changes of an encoding while it is sent. */
export interface EncodingSettings {
  active: boolean;
  maxBitrate: number;
  scalabilityMode?: string;
  scaleResolutionDownBy?: number;
  maxFramerate?: number;
}

export type Encoding = types.RtpEncodingParameters & { maxBitrate: number };

/**
 * Pixels from which a picture has three and two layers, each half the size of the next: libwebrtc leaves out the best
 * layers of a smaller picture that has more of them (`kSimulcastFormats` in `video/config/simulcast.cc`).
 */
const THREE_LAYERS_MIN = 960 * 540;
const TWO_LAYERS_MIN = 480 * 270;

/** Size that is assumed where a browser does not tell it. */
const USUAL: Size = { width: 1_280, height: 720 };

/** Most that a camera of 1280×720 gains anything visible from with VP8, in bit/s, and most of any camera. */
const CAMERA_BITRATE = 1_700_000;
const CAMERA_BITRATE_MAX = 3_000_000;
/** Growth of the bitrate with the number of pixels: four times as many need about 3.4 times as much. */
const BITRATE_EXPONENT = 0.875;

/** Two versions of a screen with text, the same but for their rate: one for those whose connection carries little. */
const TEXT: readonly Encoding[] = [
  { scaleResolutionDownBy: 1, maxBitrate: 400_000, maxFramerate: 5, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 2_500_000, maxFramerate: 15, scalabilityMode: 'L1T3' },
];
const MOTION: readonly Encoding[] = [
  { scaleResolutionDownBy: 2, maxBitrate: 700_000, maxFramerate: 30, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 3_000_000, maxFramerate: 30, scalabilityMode: 'L1T3' },
];

/** Encodings of a codec that has only one. */
export const SINGLE: readonly Encoding[] = [{ maxBitrate: 1_500_000 }];

/** Most that an encoding may have when those who receive it cannot be sent a better one, as a multiple. */
const RAISE_MAX = 3;
/** Least that an encoding is given, in bit/s: less shows nothing. */
const BITRATE_MIN = 50_000;
/** What the layers of one encoding need more than the best of them alone. */
const SVC_OVERHEAD = 1.2;

/** Returns the number of layers of a camera of this size. */
export function cameraLayers({ width, height }: Size = USUAL): 1 | 2 | 3 {
  const pixels = width * height;
  if (pixels >= THREE_LAYERS_MIN) return 3;
  return pixels >= TWO_LAYERS_MIN ? 2 : 1;
}

/** Returns simulcast encodings of a video of this size, of which every viewer can be sent the one that fits. */
export function simulcastEncodings(content: Content, size: Size = USUAL): readonly Encoding[] {
  const layers = cameraLayers(size);
  if (content !== 'camera') {
    const encodings = content === 'text' ? TEXT : MOTION;
    return layers > 1 ? encodings : encodings.slice(-1);
  }
  return Array.from({ length: layers }, (_, layer) => {
    const scaleResolutionDownBy = 2 ** (layers - 1 - layer);
    return { scaleResolutionDownBy, maxBitrate: cameraBitrate(size, scaleResolutionDownBy), scalabilityMode: 'L1T3' };
  });
}

/**
 * Returns one encoding with spatial layers, each twice the width of the one before; higher ones need lower ones in
 * keyframes alone. A screen has one: its text must not be smaller.
 */
export function scalableEncodings(content: Content, size: Size = USUAL): readonly Encoding[] {
  if (content !== 'camera') return simulcastEncodings(content, size).slice(-1);
  return [{ maxBitrate: cameraBitrate(size, 1), scalabilityMode: scalabilityMode(cameraLayers(size)) }];
}

/** Returns the settings of the encodings: layers nobody is sent are off, the others fit the receivers' connections. */
export function fitToDemand(encodings: readonly Encoding[], demand: Demand): EncodingSettings[] {
  const [first] = encodings;
  const layers = spatialLayers(first);
  if (first && layers > 1) return [fitLayersToDemand(first, layers, demand)];
  const { spatialLayer = -1, lowestBitrate, highestBitrate } = demand;
  return encodings.map(({ maxBitrate, scaleResolutionDownBy, maxFramerate }, index) => {
    let fitting = maxBitrate;
    if (index === spatialLayer && highestBitrate !== undefined) {
      fitting = Math.min(Math.max(highestBitrate, maxBitrate), maxBitrate * RAISE_MAX);
    }
    if (index === 0 && lowestBitrate !== undefined) fitting = Math.max(BITRATE_MIN, Math.min(fitting, lowestBitrate));
    return {
      active: index <= spatialLayer,
      maxBitrate: fitting,
      ...(scaleResolutionDownBy !== undefined && { scaleResolutionDownBy }),
      ...(maxFramerate !== undefined && { maxFramerate }),
    };
  });
}

/** Leaves out the layers that nobody is sent. The lowest keeps its size, so that the layers keep their numbers. */
function fitLayersToDemand({ maxBitrate }: Encoding, layers: number, { spatialLayer }: Demand): EncodingSettings {
  const wanted = Math.min(spatialLayer ?? 0, layers - 1);
  const scaleResolutionDownBy = 2 ** (layers - 1 - wanted);
  const overhead = wanted === 0 ? 1 : SVC_OVERHEAD;
  return {
    active: spatialLayer !== undefined,
    scalabilityMode: scalabilityMode(wanted + 1),
    scaleResolutionDownBy,
    maxBitrate: wanted === layers - 1 ? maxBitrate : rounded(maxBitrate * scaleResolutionDownBy ** (-2 * BITRATE_EXPONENT)) * overhead,
  };
}

function scalabilityMode(spatialLayers: number): string {
  return spatialLayers === 1 ? 'L1T3' : `L${spatialLayers}T3_KEY`;
}

function spatialLayers(encoding: Encoding | undefined): number {
  return Number(/^L(\d)/.exec(encoding?.scalabilityMode ?? '')?.[1] ?? 1);
}

/** Upper limit of the bitrate of a camera that is scaled down. */
function cameraBitrate({ width, height }: Size, scaleDownBy: number): number {
  const pixels = (width * height) / scaleDownBy ** 2;
  const share = (pixels / (USUAL.width * USUAL.height)) ** BITRATE_EXPONENT;
  return Math.min(CAMERA_BITRATE_MAX, rounded(CAMERA_BITRATE * share));
}

function rounded(bitrate: number): number {
  return Math.max(BITRATE_MIN, Math.round(bitrate / 50_000) * 50_000);
}
