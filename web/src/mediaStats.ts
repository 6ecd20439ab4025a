/** Reads what `connectionQuality.ts` judges from the reports of `getStats`. Absent members count as nothing. */
import type { InboundCounters, MediaStats, OutboundCounters, PathState, Route } from './connectionQuality';

/** One report of `getStats`. */
export type Report = Readonly<Record<string, unknown>> & { readonly type: string };

/** Reports of both transports at one instant. */
export interface StatsReports {
  receive: Report[];
  send: Report[];
}

/** `consumerIds` are by track id. */
export function readMediaStats({ receive, send }: StatsReports, consumerIds: ReadonlyMap<string, string>): MediaStats {
  const inbound = new Map<string, InboundCounters>();
  for (const report of receive) {
    const consumerId = report.type === 'inbound-rtp' && consumerIds.get(String(report.trackIdentifier));
    if (consumerId) inbound.set(consumerId, inboundCounters(report));
  }
  return { inbound, receivePath: pairState(receive), sendPath: sendState(send), outbound: outboundCounters(send) };
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

/** Returns the report of the candidate pair that is used. */
export function selectedPair(reports: readonly Report[]): Report | undefined {
  return reports.find((report) => report.type === 'candidate-pair' && report.nominated === true && report.state === 'succeeded');
}

/** Returns how the media of the used candidate pair travels; undefined before there is one. */
export function routeOf(reports: readonly Report[]): Route | undefined {
  const pair = selectedPair(reports);
  const local = reports.find(({ type, id }) => type === 'local-candidate' && id === pair?.localCandidateId);
  if (!pair || !local) return undefined;
  if (local.candidateType === 'relay') return 'relay';
  return local.protocol === 'tcp' ? 'tcp' : 'udp';
}

function pairState(reports: Report[]): PathState {
  const pair = selectedPair(reports);
  const route = routeOf(reports);
  const [rttS, bitrate] = [pair?.currentRoundTripTime, pair?.availableOutgoingBitrate];
  return {
    ...(route && { route }),
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

export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
