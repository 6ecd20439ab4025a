/** Reports of the page for the history of calls. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Report, StatsReports } from './mediaStats';
import type { PageReport } from './protocol';
import { QualityReporter, pageReport, type Devices } from './qualityReporter';

const DEVICES: Devices = { microphone: 'working', camera: 'working' };
const RUN = { stalledMs: 12, busyShare: 0 };

const video = (frames: { received: number; decoded: number; dropped?: number; frozenS?: number }): Report => ({
  type: 'inbound-rtp',
  kind: 'video',
  framesReceived: frames.received,
  framesDecoded: frames.decoded,
  framesDropped: frames.dropped ?? 0,
  totalFreezesDuration: frames.frozenS ?? 0,
});

const reports = (receive: Report[], send: Report[] = []): StatsReports => ({ receive, send });

test('good call is reported as such', () => {
  const before = reports([video({ received: 100, decoded: 100 })]);
  const after = reports([video({ received: 400, decoded: 399 })]);
  expect(pageReport(before, after, 10, DEVICES, RUN)).toEqual({
    limitedByCpu: false,
    limitedByBandwidth: false,
    frozenPercent: 0,
    concealedPercent: 0,
    droppedPercent: 0,
    busyPercent: 0,
    stalledMs: 12,
    microphone: 'working',
    camera: 'working',
  });
});

test('frames that are dropped, freezes and sound that is made up are reported in percent', () => {
  const sound = (samples: number, concealed: number): Report => ({
    type: 'inbound-rtp',
    kind: 'audio',
    totalSamplesReceived: samples,
    concealedSamples: concealed,
  });
  const before = reports([video({ received: 0, decoded: 0 }), sound(0, 0)]);
  const after = reports([video({ received: 300, decoded: 150, frozenS: 2.5 }), sound(48_000, 4_800)]);
  const report = pageReport(before, after, 10, DEVICES, { stalledMs: 0, busyShare: 0.4 });
  expect(report).toMatchObject({ frozenPercent: 25, concealedPercent: 10, droppedPercent: 50, busyPercent: 40 });
});

test('limits of what is sent are reported, and a connection only when it carries little', () => {
  const pair = (bitrate: number): Report => ({
    type: 'candidate-pair',
    nominated: true,
    state: 'succeeded',
    availableOutgoingBitrate: bitrate,
  });
  const sent = (reason: string): Report => ({ type: 'outbound-rtp', active: true, qualityLimitationReason: reason });
  const report = (reason: string, bitrate: number) =>
    pageReport(reports([]), reports([], [sent(reason), pair(bitrate)]), 10, DEVICES, RUN);
  expect(report('cpu', 2_000_000)).toMatchObject({ limitedByCpu: true, limitedByBandwidth: false });
  expect(report('bandwidth', 200_000)).toMatchObject({ limitedByCpu: false, limitedByBandwidth: true });
  expect(report('bandwidth', 600_000)).toMatchObject({ limitedByBandwidth: false });
});

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', { visibilityState: 'visible' });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a report is sent at every interval until the reporter stops, with how long the page did not run', async () => {
  const sent: PageReport[] = [];
  const sources = {
    reports: async () => reports([]),
    devices: () => DEVICES,
    send: (report: PageReport) => void sent.push(report),
  };
  const reporter = new QualityReporter(sources, 10);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.stalledMs).toBe(0);
  vi.setSystemTime(Date.now() + 20_000);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toHaveLength(2);
  expect(sent[1]?.stalledMs).toBe(20_000);
  reporter.stop();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(sent).toHaveLength(2);
});
