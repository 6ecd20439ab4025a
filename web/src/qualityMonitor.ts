/**
 * Watches the connections of a call: reads the counters of `Media` every two seconds, lets
 * `connectionQuality.ts` judge them, and shows the result at the participants and as `own`.
 */
import { batch, signal } from '@preact/signals-core';
import {
  NO_MARK,
  judge,
  lossShareOf,
  sampleOf,
  updateMark,
  type Cause,
  type Evidence,
  type Judgement,
  type Mark,
  type MediaStats,
  type OwnCause,
  type PictureState,
  type ReceptionSample,
} from './connectionQuality';
import type { Media, MediaConsumer } from './media';
import type { Participant } from './participant';

const INTERVAL_MS = 2_000;
/** The estimate of what our connection carries grows at first; until then nothing is judged. */
const START_MS = 8_000;
/** Our connection is poor for good when it was marked for this long. */
export const LASTING_MS = 11_000;

interface Reading {
  atMs: number;
  stats: MediaStats;
}

export class QualityMonitor {
  /** What is slow at our end; null when all is well. */
  readonly own = signal<OwnCause | null>(null);
  /** Whether our connection has been marked as slow for `LASTING_MS`. */
  readonly ownLasting = signal(false);
  /** Whether media travels over TCP, because UDP does not get through. */
  readonly overTcp = signal(false);
  /** What was seen over the latest interval, and what follows from it; null before the first. */
  readonly latest = signal<{ evidence: Evidence; judgement: Judgement } | null>(null);

  private timer: ReturnType<typeof setInterval> | undefined;
  private startedMs = 0;
  private last: Reading | null = null;
  private ownMark: Mark<OwnCause> = NO_MARK;
  private ownMarkedMs = 0;
  private marks = new Map<string, Mark<Cause>>();

  constructor(
    /** Consumers of each participant. */
    private readonly consumers: () => Map<Participant, MediaConsumer[]>,
    private readonly participants: () => Participant[],
    /** How much of what we send arrives at the server; null where that is not known. */
    private readonly ownUplink: () => number | null,
  ) {}

  start(media: Media): void {
    this.stop();
    this.startedMs = Date.now();
    this.timer = setInterval(() => void this.read(media), INTERVAL_MS);
  }

  /** Stops watching and removes all marks. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.last = null;
    this.ownMark = NO_MARK;
    this.marks = new Map();
    batch(() => {
      this.own.value = null;
      this.ownLasting.value = false;
      this.latest.value = null;
      for (const participant of this.participants()) participant.cause.value = null;
    });
  }

  private async read(media: Media): Promise<void> {
    const { timer, last } = this;
    const stats = await media.stats().catch(() => null);
    if (!stats || timer !== this.timer) return;
    const atMs = Date.now();
    this.last = { atMs, stats };
    this.overTcp.value = stats.sendPath.route === 'tcp' || stats.receivePath.route === 'tcp';
    if (!last || atMs - this.startedMs < START_MS) return;
    const evidence = this.gather(last, this.last);
    const judgement = judge(evidence);
    this.latest.value = { evidence, judgement };
    this.show(judgement, atMs);
  }

  private gather(before: Reading, after: Reading): Evidence {
    const samples = new Map<string, ReceptionSample>();
    for (const [participant, consumers] of this.consumers()) {
      const tracks = consumers.flatMap(({ consumerId, producerId }) => {
        const [one, two] = [before.stats.inbound.get(consumerId), after.stats.inbound.get(consumerId)];
        // A shared screen rests between two changes, which browsers count as freezes.
        const rests = participant.producer(producerId)?.isScreen;
        return one && two ? [{ before: one, after: rests ? { ...two, frozenS: one.frozenS } : two }] : [];
      });
      const sample = sampleOf(tracks, (after.atMs - before.atMs) / 1_000);
      if (sample) samples.set(participant.id, sample);
    }
    const sent = after.stats.outbound.packetsSent - before.stats.outbound.packetsSent;
    const lost = after.stats.outbound.packetsLost - before.stats.outbound.packetsLost;
    const uplinks = this.participants().flatMap(({ id, uplink }): [string, number][] => (uplink === null ? [] : [[id, uplink]]));
    return {
      samples,
      uplinks: new Map(uplinks),
      ownUplink: this.ownUplink(),
      pictures: this.pictures(),
      receive: after.stats.receivePath,
      send: after.stats.sendPath,
      sentLossShare: lossShareOf(lost, sent),
    };
  }

  private pictures(): PictureState {
    const shown = this.participants()
      .flatMap(({ producers }) => producers.value)
      .filter(({ kind, track, paused, shownHeight }) => kind === 'video' && track.value && !paused.value && shownHeight > 0)
      .filter(({ heldBack }) => heldBack.value !== 'lastN');
    return {
      heldBack: shown.filter(({ heldBack }) => heldBack.value === 'bandwidth').length,
      reduced: shown.filter(({ isReduced }) => isReduced).length,
      all: shown.length,
    };
  }

  private show({ own, participants }: Judgement, nowMs: number): void {
    const wasMarked = this.ownMark.cause === 'connection';
    this.ownMark = updateMark(this.ownMark, own, nowMs);
    const isMarked = this.ownMark.cause === 'connection';
    if (isMarked && !wasMarked) this.ownMarkedMs = nowMs;
    const marks = new Map<string, Mark<Cause>>();
    batch(() => {
      this.own.value = this.ownMark.cause;
      this.ownLasting.value = isMarked && nowMs - this.ownMarkedMs >= LASTING_MS;
      for (const participant of this.participants()) {
        const mark = updateMark(this.marks.get(participant.id) ?? NO_MARK, participants.get(participant.id) ?? null, nowMs);
        marks.set(participant.id, mark);
        participant.cause.value = mark.cause;
      }
    });
    this.marks = marks;
  }
}
