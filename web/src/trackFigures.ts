/**
 * Figures of each track that is sent or received, from reports of `getStats`: pure functions. The caller reads the
 * reports, keeps the time and knows whose track it is. Members that a browser does not report are absent.
 */
import { lossShareOf, type Route } from './connectionQuality';
import { number, routeOf, selectedPair, type Report, type StatsReports } from './mediaStats';
import type { Kind } from './protocol';

/** One encoding of a track that is sent. */
export interface SentLayer {
  /** Name of the encoding; empty for the only one. */
  rid: string;
  /** Height of its pictures in pixels. */
  height: number;
}

/** What the counters and state of one track are at an instant. */
export interface TrackReading {
  kind: Kind;
  atMs: number;
  /** Bytes of payload. */
  bytes: number;
  /** Packets that were sent to us or by us, lost ones included. */
  packets: number;
  packetsLost: number;
  /** Frames that were decoded, or encoded. */
  frames: number;
  width?: number;
  height?: number;
  /** As `VP8` or `opus`. */
  codec?: string;
  jitterMs?: number;
  rttMs?: number;
  route?: Route;
  /** Encodings that are sent, smallest first. */
  sentLayers?: SentLayer[];
}

/** What is shown of one track. */
export interface TrackFigures extends Pick<TrackReading, 'kind' | 'width' | 'height' | 'codec' | 'jitterMs' | 'rttMs' | 'route' | 'sentLayers'> {
  /** In bit/s. */
  bitrate: number;
  /** Share of packets lost before repair, 0 to 1. */
  lossShare: number;
  /** Pictures per second; absent for sound. */
  frameRate?: number;
}

/** Returns the readings of received tracks, by track id. */
export function readReceived({ receive }: StatsReports): Map<string, TrackReading> {
  const path = pathOf(receive);
  return new Map(
    receive
      .filter(({ type }) => type === 'inbound-rtp')
      .map((report): [string, TrackReading] => [
        text(report.trackIdentifier),
        {
          ...common(report, receive),
          bytes: number(report.bytesReceived),
          packets: number(report.packetsReceived) + number(report.packetsLost),
          packetsLost: number(report.packetsLost),
          frames: number(report.framesDecoded),
          ...path,
          ...milliseconds('jitterMs', report.jitter),
        },
      ]),
  );
}

/** Returns the readings of sent tracks, by the MID under which they are sent. */
export function readSent({ send }: StatsReports): Map<string, TrackReading> {
  const path = pathOf(send);
  const readings = new Map<string, TrackReading>();
  const sent = send.filter(({ type }) => type === 'outbound-rtp');
  for (const mid of new Set(sent.map((report) => text(report.mid)))) {
    const encodings = sent.filter((report) => text(report.mid) === mid);
    const remote = encodings.flatMap((encoding) => send.filter(({ type, localId }) => type === 'remote-inbound-rtp' && localId === encoding.id));
    const active = encodings.filter((encoding) => encoding.active !== false && typeof encoding.frameHeight === 'number');
    active.sort((one, other) => number(one.frameHeight) - number(other.frameHeight));
    const best = active.at(-1) ?? encodings[0];
    readings.set(mid, {
      ...common(best, send),
      bytes: sum(encodings, 'bytesSent'),
      packets: sum(encodings, 'packetsSent'),
      packetsLost: sum(remote, 'packetsLost'),
      frames: number(best?.framesEncoded),
      ...path,
      ...milliseconds('jitterMs', remote[0]?.jitter),
      ...milliseconds('rttMs', remote[0]?.roundTripTime),
      ...(active.length > 0 && { sentLayers: active.map(({ rid, frameHeight }) => ({ rid: text(rid), height: number(frameHeight) })) }),
    });
  }
  return readings;
}

/** Returns the figures between two readings of a track; null while they tell nothing, and after a counter has restarted. */
export function figuresOf(before: TrackReading | undefined, after: TrackReading): TrackFigures | null {
  const seconds = before ? (after.atMs - before.atMs) / 1_000 : 0;
  if (!before || seconds <= 0 || after.bytes < before.bytes || after.packets < before.packets) return null;
  const { atMs: _, bytes, packets, packetsLost, frames, ...state } = after;
  return {
    ...state,
    bitrate: ((bytes - before.bytes) * 8) / seconds,
    lossShare: lossShareOf(packetsLost - before.packetsLost, packets - before.packets),
    ...(state.kind === 'video' && { frameRate: Math.max(0, frames - before.frames) / seconds }),
  };
}

/** Returns what reports of both directions say in the same words. */
function common(report: Report | undefined, all: readonly Report[]) {
  const codec = text(all.find(({ type, id }) => type === 'codec' && id === report?.codecId)?.mimeType).split('/')[1];
  const [width, height] = [report?.frameWidth, report?.frameHeight];
  const kind: Kind = report?.kind === 'video' ? 'video' : 'audio';
  return {
    kind,
    atMs: number(report?.timestamp),
    ...(typeof width === 'number' && typeof height === 'number' && { width, height }),
    ...(codec && { codec }),
  };
}

/** Returns the route and the round trip time of a connection. */
function pathOf(reports: readonly Report[]): Pick<TrackReading, 'route' | 'rttMs'> {
  const route = routeOf(reports);
  return { ...(route && { route }), ...milliseconds('rttMs', selectedPair(reports)?.currentRoundTripTime) };
}

function milliseconds<Name extends string>(name: Name, seconds: unknown): Partial<Record<Name, number>> {
  return typeof seconds === 'number' ? ({ [name]: seconds * 1_000 } as Record<Name, number>) : {};
}

function sum(reports: readonly Report[], name: string): number {
  return reports.reduce((total, report) => total + number(report[name]), 0);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
