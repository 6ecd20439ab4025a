/**
 * Judges the connections of a call from counters of `getStats`: whose connection, if any, is
 * slow. Pure functions: the caller reads the counters and keeps the time.
 */

/** Counters of one received track. All only grow. */
export interface InboundCounters {
  packetsReceived: number;
  packetsLost: number;
  /** Samples of sound in all, and of those the audible ones that were made up for lost packets. */
  samples: number;
  samplesConcealed: number;
  /** Time in seconds for which the picture stood still. */
  frozenS: number;
}

/** Packets of all tracks that we send, and those of them that the server reported lost. */
export interface OutboundCounters {
  packetsSent: number;
  packetsLost: number;
}

/** How media travels: over UDP, over TCP, or through a TURN relay. */
export type Route = 'udp' | 'tcp' | 'relay';

/** What a browser knows of one direction of its connection; absent where it does not tell. */
export interface PathState {
  route?: Route;
  rttMs?: number;
  /** What the browser thinks that it can send, in bit/s. */
  availableBitrate?: number;
  /** Whether the browser sends less of a picture because of the connection, or because the device is too slow. */
  limitedByBandwidth?: boolean;
  limitedByCpu?: boolean;
}

/** Counters and state of all connections at one instant. */
export interface MediaStats {
  /** By consumer id. */
  inbound: Map<string, InboundCounters>;
  outbound: OutboundCounters;
  receivePath: PathState;
  sendPath: PathState;
}

/** What one participant's media looked like over an interval. */
export interface ReceptionSample {
  /** Share of packets that were lost before repair, 0 to 1. */
  lossShare: number;
  /** Share of sound that was made up. */
  concealedShare: number;
  /** Share of the time in which the picture stood still. */
  frozenShare: number;
}

/** What the server does to the pictures of the others because of our connection. */
export interface PictureState {
  /** Pictures that are not sent because our connection does not carry them. */
  heldBack: number;
  /** Pictures of which less is sent than before because of our connection, although our tiles are as large. */
  reduced: number;
  /** Pictures that we receive or should receive. */
  all: number;
}

/** All that was seen over an interval. */
export interface Evidence {
  /** By participant id; only those of whom something arrived. */
  samples: ReadonlyMap<string, ReceptionSample>;
  /**
   * How much of what a participant sends arrives at the server, by participant id: 1 to 10, as the server scores
   * it. Absent where the server has not told, or nothing arrives.
   */
  uplinks: ReadonlyMap<string, number>;
  /** The same of what we send; null where the server has not told. */
  ownUplink: number | null;
  pictures: PictureState;
  receive: PathState;
  send: PathState;
  sentLossShare: number;
}

/** Why somebody is not seen or heard well: our connection, theirs, or one of the two where that is not visible. */
export type Cause = 'own' | 'theirs' | 'either';
/** What is slow at our end. */
export type OwnCause = 'connection' | 'device';

export interface Judgement {
  own: OwnCause | null;
  /** By participant id; only those whose media suffers. */
  participants: Map<string, Cause>;
}

/** More than this is heard or seen: a word in twenty, a tenth of the packets, a fifth of the time. */
const CONCEALED_MAX = 0.05;
const LOSS_MAX = 0.1;
const FROZEN_MAX = 0.2;
/** Above this round trip people talk over one another (ITU-T G.114: 400 ms one way is unacceptable). */
const RTT_MS_MAX = 400;
/**
 * With less than this, in bit/s, only the smallest encoding of a camera fits beside the sound. It is
 * below 300 kbit/s, with which browsers begin before they know what the connection carries.
 */
const SEND_BITRATE_MIN = 250_000;

/**
 * Score up to which more than a tenth of the packets is lost on the way to the server, and with which hardly any is:
 * the server tells a score again when it has changed by two.
 */
const UPLINK_POOR_MAX = 6;
const UPLINK_GOOD_MIN = 10;

/** Fewer packets than this in an interval say nothing of their loss: silence has three a second. */
const PACKETS_MIN = 20;

/** Returns the share of packets that were lost. */
export function lossShareOf(lost: number, all: number): number {
  return all >= PACKETS_MIN ? Math.max(0, lost) / all : 0;
}

/** Returns what happened between two readings of the same tracks; null when nothing arrived. */
export function sampleOf(tracks: { before: InboundCounters; after: InboundCounters }[], seconds: number): ReceptionSample | null {
  const grown = (name: keyof InboundCounters) =>
    tracks.reduce((sum, { before, after }) => sum + Math.max(0, after[name] - before[name]), 0);
  const [received, lost, samples] = [grown('packetsReceived'), grown('packetsLost'), grown('samples')];
  if (received === 0 || seconds <= 0) return null;
  return {
    lossShare: lossShareOf(lost, received + lost),
    concealedShare: samples > 0 ? grown('samplesConcealed') / samples : 0,
    frozenShare: grown('frozenS') / seconds,
  };
}

/** Something that is measured to be bad, of somebody's media or of our connection. Shares are from 0 to 1. */
export type Symptom =
  | { code: 'lost' | 'concealed' | 'frozen'; share: number }
  | { code: 'delayed'; rttMs: number }
  | { code: 'starved'; bitrate: number }
  | { code: 'uplinkLost' | 'sentLost' | 'heldBack' | 'reduced' | 'device' };

/** Returns what is bad in a participant's media. */
export function symptomsOf({ samples, uplinks }: Pick<Evidence, 'samples' | 'uplinks'>, id: string): Symptom[] {
  const sample = samples.get(id);
  const symptoms = sample ? symptomsOfSample(sample) : [];
  return isPoorUplink(uplinks.get(id)) ? [...symptoms, { code: 'uplinkLost' }] : symptoms;
}

function symptomsOfSample({ lossShare, concealedShare, frozenShare }: ReceptionSample): Symptom[] {
  const symptoms: Symptom[] = [];
  if (lossShare > LOSS_MAX) symptoms.push({ code: 'lost', share: lossShare });
  if (concealedShare > CONCEALED_MAX) symptoms.push({ code: 'concealed', share: concealedShare });
  if (frozenShare > FROZEN_MAX) symptoms.push({ code: 'frozen', share: frozenShare });
  return symptoms;
}

/** Returns what is bad at our end. All but a busy device tell of a slow connection. */
export function ownSymptoms({ pictures, receive, send, sentLossShare, ownUplink }: Evidence): Symptom[] {
  const symptoms: Symptom[] = [];
  if (pictures.heldBack > 0) symptoms.push({ code: 'heldBack' });
  if (pictures.reduced > 0 && pictures.reduced * 2 > pictures.all) symptoms.push({ code: 'reduced' });
  const rttMs = Math.max(receive.rttMs ?? 0, send.rttMs ?? 0);
  if (rttMs > RTT_MS_MAX) symptoms.push({ code: 'delayed', rttMs });
  const bitrate = send.availableBitrate ?? SEND_BITRATE_MIN;
  if (send.limitedByBandwidth === true && bitrate < SEND_BITRATE_MIN) symptoms.push({ code: 'starved', bitrate });
  // Our browser or the server has counted what is lost.
  if (sentLossShare > LOSS_MAX || isPoorUplink(ownUplink)) symptoms.push({ code: 'sentLost' });
  if (send.limitedByCpu) symptoms.push({ code: 'device' });
  return symptoms;
}

function isPoorUplink(score: number | null | undefined): boolean {
  return (score ?? UPLINK_GOOD_MIN) <= UPLINK_POOR_MAX;
}

/**
 * Names the causes. It is theirs when the server says that they lose packets on the way to it. Ours is slow when the
 * connection itself says so, when the server holds pictures back or reduces most of them, when packets are lost that
 * the server has received, or when most of several participants suffer at once and it is not theirs. Somebody else
 * who suffers alone may suffer at either end; with others who do not, it is theirs.
 */
export function judge(evidence: Evidence): Judgement {
  const { samples, uplinks, send } = evidence;
  const suffering = [...samples].filter(([, sample]) => symptomsOfSample(sample).length > 0);
  const isTheirs = (id: string) => isPoorUplink(uplinks.get(id));
  const unexplained = suffering.filter(([id]) => !isTheirs(id));
  const severalSuffer = unexplained.length >= 2 && unexplained.length * 2 > samples.size;
  const isLostHere = unexplained.some(
    ([id, { lossShare }]) => lossShare > LOSS_MAX && (uplinks.get(id) ?? 0) >= UPLINK_GOOD_MIN,
  );
  const isOwn = severalSuffer || isLostHere || ownSymptoms(evidence).some(({ code }) => code !== 'device');
  const otherwise: Cause = isOwn ? 'own' : samples.size > 1 ? 'theirs' : 'either';
  const participants = suffering.map(([id]): [string, Cause] => [id, isTheirs(id) ? 'theirs' : otherwise]);
  const deviceCause = send.limitedByCpu ? 'device' : null;
  return { own: isOwn ? 'connection' : deviceCause, participants: new Map(participants) };
}

/** Time for which a connection is poor before it is marked, and good before the mark goes. */
export const MARK_AFTER_MS = 4_000;
export const UNMARK_AFTER_MS = 6_000;

/** A mark with hysteresis: `cause` is what is shown. */
export interface Mark<T> {
  readonly cause: T | null;
  /** Since when the judgement differs from what is shown; null while it agrees. */
  readonly differsSinceMs: number | null;
}

export const NO_MARK: Mark<never> = { cause: null, differsSinceMs: null };

/** Returns the mark after another judgement. While one is shown, its cause follows the judgement at once. */
export function updateMark<T>(mark: Mark<T>, cause: T | null, nowMs: number): Mark<T> {
  if (cause !== null && mark.cause !== null) return { cause, differsSinceMs: null };
  if (cause === mark.cause) return { cause, differsSinceMs: null };
  const since = mark.differsSinceMs ?? nowMs;
  const waitMs = cause === null ? UNMARK_AFTER_MS : MARK_AFTER_MS;
  return nowMs - since >= waitMs ? { cause, differsSinceMs: null } : { cause: mark.cause, differsSinceMs: since };
}
