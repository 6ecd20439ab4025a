/** Figures of tracks from reports of `getStats`, in the form of Chromium's and of a browser that tells less. */
import { expect, test } from 'vitest';
import { figuresOf, readReceived, readSent } from './trackFigures';
import type { Report } from './mediaStats';

const PATH: Report[] = [
  { type: 'candidate-pair', state: 'succeeded', nominated: true, localCandidateId: 'l', currentRoundTripTime: 0.03 },
  { type: 'local-candidate', id: 'l', candidateType: 'host', protocol: 'udp' },
];
const CODECS: Report[] = [
  { type: 'codec', id: 'v', mimeType: 'video/VP8' },
  { type: 'codec', id: 'a', mimeType: 'audio/opus' },
];

/** Reports of one received video at an instant. */
function received(timestamp: number, counters: Record<string, number>): Report[] {
  const video = { type: 'inbound-rtp', kind: 'video', trackIdentifier: 't', codecId: 'v', timestamp, frameWidth: 640, frameHeight: 360, jitter: 0.004 };
  return [{ ...video, ...counters }, ...PATH, ...CODECS];
}

function readVideo(timestamp: number, counters: Record<string, number>) {
  const reading = readReceived({ receive: received(timestamp, counters), send: [] }).get('t');
  if (!reading) throw new Error('the track was not read');
  return reading;
}

test('a received video has its figures over the interval', () => {
  const before = readVideo(1_000, { bytesReceived: 1_000, packetsReceived: 100, packetsLost: 0, framesDecoded: 30 });
  const after = readVideo(3_000, { bytesReceived: 101_000, packetsReceived: 190, packetsLost: 10, framesDecoded: 80 });
  expect(figuresOf(before, after)).toEqual({
    kind: 'video',
    bitrate: 400_000,
    lossShare: 0.1,
    frameRate: 25,
    width: 640,
    height: 360,
    codec: 'VP8',
    jitterMs: 4,
    rttMs: 30,
    route: 'udp',
  });
});

test('a counter that restarts, and a first reading, tell nothing', () => {
  const one = readVideo(1_000, { bytesReceived: 9_000, packetsReceived: 9 });
  expect(figuresOf(undefined, one)).toBeNull();
  expect(figuresOf(one, one)).toBeNull();
  expect(figuresOf(one, readVideo(2_000, { bytesReceived: 10, packetsReceived: 1 }))).toBeNull();
});

test('the encodings of a sent track count together, and the largest that is sent is its size', () => {
  const layer = (id: string, rid: string, frameHeight: number, bytesSent: number, active: boolean): Report => ({
    type: 'outbound-rtp', kind: 'video', id, rid, mid: '1', codecId: 'v', timestamp: bytesSent, bytesSent, packetsSent: bytesSent / 100, active,
    framesEncoded: bytesSent / 10, frameHeight, frameWidth: frameHeight * 2,
  });
  const remote: Report = { type: 'remote-inbound-rtp', localId: 'low', packetsLost: 3, jitter: 0.002, roundTripTime: 0.05 };
  const voice: Report = { type: 'outbound-rtp', kind: 'audio', id: 'mic', mid: '0', codecId: 'a', timestamp: 0, bytesSent: 7, packetsSent: 1 };
  const send = [layer('high', 'r2', 720, 4_000, false), layer('middle', 'r1', 360, 2_000, true), layer('low', 'r0', 180, 1_000, true), voice, remote, ...PATH, ...CODECS];
  const readings = readSent({ receive: [], send });
  expect(readings.get('1')).toMatchObject({
    bytes: 7_000,
    packets: 70,
    packetsLost: 3,
    frames: 200,
    height: 360,
    jitterMs: 2,
    rttMs: 50,
    sentLayers: [{ rid: 'r0', height: 180 }, { rid: 'r1', height: 360 }],
  });
  expect(readings.get('0')).toMatchObject({ kind: 'audio', bytes: 7, codec: 'opus' });
  expect(readings.get('0')).not.toHaveProperty('sentLayers');
});

test.each<[Record<string, string>, string]>([
  [{ candidateType: 'relay', protocol: 'udp' }, 'relay'],
  [{ candidateType: 'host', protocol: 'tcp' }, 'tcp'],
  [{ candidateType: 'prflx', protocol: 'udp' }, 'udp'],
])('the route of %j is %s', (candidate, route) => {
  const pair: Report = { type: 'candidate-pair', state: 'succeeded', nominated: true, localCandidateId: 'x' };
  const receive: Report[] = [{ type: 'inbound-rtp', trackIdentifier: 't' }, pair, { type: 'local-candidate', id: 'x', ...candidate }];
  expect(readReceived({ receive, send: [] }).get('t')?.route).toBe(route);
});

test('what a browser does not report is absent', () => {
  const reading = readReceived({ receive: [{ type: 'inbound-rtp', kind: 'audio', trackIdentifier: 't' }], send: [] }).get('t');
  expect(reading).toEqual({ kind: 'audio', atMs: 0, bytes: 0, packets: 0, packetsLost: 0, frames: 0 });
});
