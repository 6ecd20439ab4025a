/** Reads what `connectionQuality.ts` judges from the reports of `getStats`. Absent members count as nothing. */
import type { InboundCounters, MediaStats, OutboundCounters, PathState } from './connectionQuality';

type Report = Record<string, unknown> & { type: string };

/** `consumerIds` are by track id. */
export function readMediaStats(
  receive: Iterable<Report>,
  send: Iterable<Report>,
  consumerIds: ReadonlyMap<string, string>,
): MediaStats {
  const inbound = new Map<string, InboundCounters>();
  const received = [...receive];
  for (const report of received) {
    const consumerId = report.type === 'inbound-rtp' && consumerIds.get(String(report.trackIdentifier));
    if (consumerId) inbound.set(consumerId, inboundCounters(report));
  }
  const sending = [...send];
  return { inbound, receivePath: pairState(received), sendPath: sendState(sending), outbound: outboundCounters(sending) };
}

function inboundCounters(report: Report): InboundCounters {
  return {
    packetsReceived: number(report.packetsReceived),
    packetsLost: number(report.packetsLost),
    samples: number(report.totalSamplesReceived),
    samplesConcealed: number(report.concealedSamples) - number(report.silentConcealedSamples),
    frozenS: number(report.totalFreezesDuration),
  };
}

/** Returns the state of the selected candidate pair. */
function pairState(reports: Report[]): PathState {
  const pair = reports.find((report) => report.type === 'candidate-pair' && report.nominated === true && report.state === 'succeeded');
  const [rttS, bitrate] = [pair?.currentRoundTripTime, pair?.availableOutgoingBitrate];
  return {
    ...(typeof rttS === 'number' && { rttMs: rttS * 1_000 }),
    ...(typeof bitrate === 'number' && { availableBitrate: bitrate }),
  };
}

function sendState(reports: Report[]): PathState {
  const limited = (reason: string) =>
    reports.some((it) => it.type === 'outbound-rtp' && it.active !== false && it.qualityLimitationReason === reason);
  return {
    ...pairState(reports),
    limitedByBandwidth: limited('bandwidth'),
    limitedByCpu: limited('cpu'),
  };
}

function outboundCounters(reports: Report[]): OutboundCounters {
  const sum = (type: string, name: string) =>
    reports.reduce((total, report) => total + (report.type === type ? number(report[name]) : 0), 0);
  return { packetsSent: sum('outbound-rtp', 'packetsSent'), packetsLost: sum('remote-inbound-rtp', 'packetsLost') };
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
