/**
 * Statistics of a call while they are shown: reads the browser's reports every second, and keeps the figures of each
 * track and a minute of their bitrates. `connectionQuality.ts` tells what is bad in them. Loaded on demand.
 */
import { signal } from '@preact/signals-core';
import { figuresOf, readReceived, readSent, type TrackFigures, type TrackReading } from './trackFigures';
import { ownSymptoms, symptomsOf, type Cause, type OwnCause, type Symptom } from './connectionQuality';
import type { Participant } from './participant';
import type { MediaSource } from './protocol';
import type { Room } from './room';

export const INTERVAL_MS = 1_000;
/** Values that a plot shows. */
export const HISTORY_LENGTH = 60;

/** Figures of one track, with what the server has told of it. */
export interface TrackStatistics extends TrackFigures {
  /** The same for the same track over time. */
  key: string;
  source: MediaSource;
  /** Spatial layer that is received, counted from 1; absent for sound, for our own tracks, and while it is unknown. */
  layer?: { number: number; count: number };
  /** Bitrates in bit/s, oldest first. */
  bitrates: readonly number[];
}

/** What one participant sends, or what we send. */
export interface PersonStatistics {
  /** Participant; null for ourselves. */
  participant: Participant | null;
  tracks: TrackStatistics[];
  cause: Cause | OwnCause | null;
  symptoms: Symptom[];
}

interface Readings {
  sent: Map<string, TrackReading>;
  received: Map<string, TrackReading>;
}

export class CallStatistics {
  /** Ourselves first; null before the first two readings. */
  readonly people = signal<PersonStatistics[] | null>(null);
  private last: Readings | null = null;
  private histories = new Map<string, readonly number[]>();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly room: Room) {}

  start(): void {
    void this.read();
    this.timer = setInterval(() => void this.read(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async read(): Promise<void> {
    const reports = await this.room.statsReports().catch(() => null);
    if (this.timer === undefined) return;
    const last = this.last;
    this.last = reports && { sent: readSent(reports), received: readReceived(reports) };
    if (!reports || !this.last || !last) return;
    const { sent, received } = this.last;
    const histories = new Map<string, readonly number[]>();
    const statisticsOf = (key: string, source: MediaSource, before: TrackReading | undefined, after: TrackReading | undefined) => {
      const figures = after && figuresOf(before, after);
      if (!figures) return [];
      const bitrates = [...(this.histories.get(key) ?? []), figures.bitrate].slice(-HISTORY_LENGTH);
      histories.set(key, bitrates);
      return [{ ...figures, key, source, bitrates }];
    };
    const own = [...sent].flatMap(([mid, reading]) => {
      const source = reports.sources.get(mid);
      return source ? statisticsOf(`sent ${mid}`, source, last.sent.get(mid), reading) : [];
    });
    const others = this.room.participants.value.map((participant) => ({
      participant,
      tracks: participant.producers.value.flatMap(({ track, source, receivedLayer }) => {
        const id = track.value?.id ?? '';
        const found = statisticsOf(id, source, last.received.get(id), received.get(id));
        return found.map((it) => (it.kind === 'video' && receivedLayer ? { ...it, layer: receivedLayer } : it));
      }),
    }));
    this.histories = histories;
    this.people.value = this.explain([{ participant: null, tracks: own }, ...others]);
  }

  private explain(people: Pick<PersonStatistics, 'participant' | 'tracks'>[]): PersonStatistics[] {
    const latest = this.room.quality.latest.value;
    return people.map((person) => {
      const { participant } = person;
      if (!latest) return { ...person, cause: null, symptoms: [] };
      const { evidence, judgement } = latest;
      if (!participant) return { ...person, cause: judgement.own, symptoms: ownSymptoms(evidence) };
      return { ...person, cause: judgement.participants.get(participant.id) ?? null, symptoms: symptomsOf(evidence, participant.id) };
    });
  }

  /** Returns all that is shown, for a report to those who help. Names and ids of others are part of it. */
  toJson(): string {
    const people = (this.people.value ?? []).map(({ participant, tracks, cause, symptoms }) => ({
      ...(participant ? participant.identity : { id: this.room.ownId, own: true }),
      cause,
      symptoms,
      tracks: tracks.map(({ key: _, ...track }) => track),
    }));
    return JSON.stringify({ at: new Date().toISOString(), room: this.room.id, browser: navigator.userAgent, people }, null, 2);
  }
}

/** Returns the bitrates of several tracks together. */
export function totalBitrate(tracks: readonly TrackFigures[]): number {
  return tracks.reduce((total, { bitrate }) => total + bitrate, 0);
}
