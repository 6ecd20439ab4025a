/**
 * One meeting as the page knows it: who is here, what is heard and seen, and
 * how the connection is, all as signals; what the person can do, as methods.
 * Touches no DOM. Sees the line and the media only through the interfaces it is
 * given, so that a test can stand behind both.
 *
 * 1. `join`: the socket opens and greets. 2. `enter`: router capabilities, then
 * the room with everyone in it, then both transports, then what we send and what
 * we receive. 3. Notices change the people. 4. A lost socket, a lost worker or a
 * transport that ICE cannot save all lead back to 2, with the people kept on the
 * screen. 5. `leave`.
 */
import { batch, effect, signal, untracked } from '@preact/signals';
import type { Media, OpenMedia, PipeState, Publication, Reception, VideoCodec, Wire } from './media';
import { Unsupported } from './media';
import type { Layer } from './layout';
import type {
  Connected,
  Direction,
  Kind,
  Notice,
  Notices,
  PayloadOf,
  ProducerSummary,
  ReplyOf,
  RequestType,
  RoomJoined,
  Source,
} from './protocol';
import { LineLost, Refusal, backoffMs, type SocketEvents } from './socket';

export type Status = 'idle' | 'joining' | 'live' | 'reconnecting' | 'left' | 'failed';

/** Why a join came to nothing; the page has a sentence for each, and `refused` brings the server's. */
export interface Failure {
  reason: 'unreachable' | 'unsupported' | 'refused';
  message: string;
}

/** Something worth telling the person once. */
export interface Word {
  id: number;
  tone: 'plain' | 'bad';
  text: string;
}

/** The line to the server, as `Socket` is. */
export interface Line {
  open(): void;
  close(): void;
  retryNow(): void;
  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>>;
}

/** The viewer's own tracks, as `Capture` has them. */
export interface Tracks {
  readonly camera: { readonly value: MediaStreamTrack | null };
  readonly microphone: { readonly value: MediaStreamTrack | null };
  readonly cameraOn: { readonly value: boolean };
  readonly microphoneOn: { readonly value: boolean };
}

export interface RoomOptions {
  roomId: string;
  displayName: string;
  /** The codec asked for by the page's address; the server's own wish comes second. */
  codec: VideoCodec | null;
  tracks: Tracks;
  openLine(events: SocketEvents): Line;
  openMedia: OpenMedia;
}

/** Joining may take this many tries before the person is told that the server cannot be reached. */
const JOIN_TRIES_MAX = 3;
/** ICE often mends itself; only then is it restarted. */
const ICE_PATIENCE_MS = 2_000;
/** A restarted transport that is not up after this long is given up and everything is joined anew. */
const ICE_RESTART_MS_MAX = 6_000;
const SPEAKING_POLL_MS = 200;
/** −40 dBov: above the noise of a quiet room, below speech. */
const SPEAKING_LEVEL = 0.01;
/** Keeps the mark on through the pauses between words. */
const SPEAKING_HOLD_MS = 800;
/** A camera's full picture, which the server sends to those who ask for nothing. */
const LAYER_MAX: Layer = 2;
const WORDS_MAX = 3;
/** Long enough to read two lines. */
const WORD_MS = 5_000;

/** Refusals that another try cannot change. */
const FINAL_CODES = new Set(['bad-request', 'limit-reached']);

/** Another person in the room. */
export class Participant {
  readonly name = signal('');
  readonly video = signal<MediaStreamTrack | null>(null);
  readonly audio = signal<MediaStreamTrack | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  readonly speaking = signal(false);
  /** What this person sends, by producer id. */
  readonly producers = new Map<string, ProducerSummary>();
  lastHeardMs = 0;
  /** The largest picture wanted of this person; all of it until a tile says otherwise. */
  layer: Layer = LAYER_MAX;

  constructor(readonly id: string) {}

  /** What to call this person; those of other clients may have no name. */
  get label(): string {
    return this.name.value || `Guest ${this.id.slice(-4)}`;
  }

  /** Brings the signals in line with `producers`. */
  refresh(): void {
    const live = (kind: Kind) => [...this.producers.values()].some((one) => one.kind === kind && !one.paused);
    this.cameraOn.value = live('video');
    this.microphoneOn.value = live('audio');
  }
}

export class Room {
  readonly status = signal<Status>('idle');
  readonly failure = signal<Failure | null>(null);
  /** Everyone else, in the order they came. */
  readonly people = signal<Participant[]>([]);
  /** Whether media flows as it should; says nothing while nothing is sent or received. */
  readonly mediaTroubled = signal(false);
  readonly words = signal<Word[]>([]);

  private readonly line: Line;
  private connected: Connected | null = null;
  private media: Media | null = null;
  /** Counts the entries; whatever began in an earlier one must not touch the present. */
  private entry = 0;
  private tries = 0;
  private again: ReturnType<typeof setTimeout> | undefined;
  private readonly publications = new Map<Source, { publication: Publication; track: MediaStreamTrack; on: boolean }>();
  private readonly receptions = new Map<string, Reception>();
  private receiving = false;
  private syncing = false;
  private syncWanted = false;
  /** Times everything was joined anew since media last flowed: the first is at once, later ones wait. */
  private restarts = 0;
  /** The transports of the present entry. */
  private readonly transports = new Set<string>();
  private readonly pipes = new Map<string, PipeState>();
  private readonly rescues = new Map<string, ReturnType<typeof setTimeout>>();
  private lastWord = 0;
  private readonly stops: (() => void)[] = [];

  constructor(private readonly options: RoomOptions) {
    this.line = options.openLine({
      up: (connected) => {
        this.connected = connected;
        void this.enter();
      },
      notice: (notice) => this.hear(notice),
      down: () => this.lineLost(),
    });
  }

  get id(): string {
    return this.options.roomId;
  }

  join(): void {
    this.status.value = 'joining';
    this.line.open();
    const { tracks } = this.options;
    this.stops.push(
      effect(() => {
        // Read all four so that a change of any one is noticed.
        void [tracks.camera.value, tracks.microphone.value, tracks.cameraOn.value, tracks.microphoneOn.value];
        untracked(() => void this.sync());
      }),
    );
    const speaking = setInterval(() => this.listen(Date.now()), SPEAKING_POLL_MS);
    this.stops.push(() => clearInterval(speaking));
  }

  /** Says goodbye, so that the others see it at once, and lets everything go. */
  leave(): void {
    this.line.request('leaveRoom', {}).catch(() => undefined);
    this.end('left');
  }

  /** Tries now instead of waiting out the pause between tries. */
  retryNow(): void {
    this.line.retryNow();
  }

  /** Has this person's picture sent as large as its tile needs, and no larger. */
  wantLayer(person: Participant, layer: Layer): void {
    if (person.layer === layer) return;
    person.layer = layer;
    for (const [producerId, { kind }] of person.producers) {
      const reception = kind === 'video' && this.receptions.get(producerId);
      if (reception) this.preferLayer(reception.consumerId, layer);
    }
  }

  say(text: string, tone: Word['tone'] = 'plain'): void {
    this.lastWord += 1;
    const word = { id: this.lastWord, tone, text };
    this.words.value = [...this.words.value, word].slice(-WORDS_MAX);
    setTimeout(() => this.dismiss(word.id), WORD_MS);
  }

  dismiss(id: number): void {
    this.words.value = this.words.value.filter((word) => word.id !== id);
  }

  // ---- entering -----------------------------------------------------------

  private async enter(): Promise<void> {
    if (this.over()) return;
    clearTimeout(this.again);
    this.entry += 1;
    const entry = this.entry;
    this.closeMedia();
    try {
      const { rtpCapabilities } = await this.line.request('getRouterRtpCapabilities', {});
      const media = await this.options.openMedia(rtpCapabilities, this.wire(entry));
      if (entry !== this.entry) return media.close();
      this.media = media;
      const joined = await this.line.request('joinRoom', {
        roomId: this.options.roomId,
        displayName: this.options.displayName,
      });
      if (entry !== this.entry) return;
      this.meet(joined);
      const [send, recv] = await Promise.all([
        this.line.request('createTransport', { direction: 'send' }),
        this.line.request('createTransport', { direction: 'recv' }),
      ]);
      if (entry !== this.entry) return;
      const iceServers = this.connected?.iceServers ?? [];
      for (const created of [send, recv]) {
        this.transports.add(created.transportId);
        media.open(created, iceServers);
      }
      this.receiving = true;
      batch(() => {
        this.tries = 0;
        this.status.value = 'live';
        this.mediaTroubled.value = false;
      });
      for (const person of this.people.value) {
        for (const producerId of person.producers.keys()) void this.consume(producerId);
      }
      await this.sync();
    } catch (error) {
      if (entry === this.entry) this.enteringFailed(error);
    }
  }

  private enteringFailed(error: unknown): void {
    if (error instanceof Unsupported) return this.fail('unsupported', error.message);
    if (error instanceof Refusal && FINAL_CODES.has(error.code ?? '')) return this.fail('refused', error.message);
    // A lost line comes back by itself and enters again; anything else is tried again on this one.
    if (error instanceof LineLost) return;
    this.tries += 1;
    if (this.status.value === 'joining' && this.tries >= JOIN_TRIES_MAX) {
      return this.fail('refused', error instanceof Error ? error.message : String(error));
    }
    this.again = setTimeout(() => void this.enter(), backoffMs(this.tries, Math.random()));
  }

  /** Everyone in the room, those already on the screen in their places. */
  private meet(joined: RoomJoined): void {
    const known = new Map(this.people.value.map((person) => [person.id, person]));
    const people = joined.peers.map((id) => known.get(id) ?? new Participant(id));
    batch(() => {
      for (const person of people) person.producers.clear();
      const byId = new Map(people.map((person) => [person.id, person]));
      for (const { peerId, displayName } of joined.participants ?? []) {
        const person = byId.get(peerId);
        if (person) person.name.value = displayName ?? person.name.value;
      }
      for (const { peerId, displayName, producers } of joined.existingProducers) {
        const person = byId.get(peerId);
        if (!person) continue;
        person.name.value = displayName ?? person.name.value;
        for (const producer of producers) person.producers.set(producer.producerId, producer);
      }
      for (const person of people) person.refresh();
      const order = new Map(this.people.value.map((person, index) => [person.id, index]));
      const place = (person: Participant) => order.get(person.id) ?? Number.MAX_SAFE_INTEGER;
      this.people.value = people.sort((a, b) => place(a) - place(b));
    });
  }

  private wire(entry: number): Wire {
    return {
      connect: async (transportId, dtlsParameters) => {
        await this.line.request('connectTransport', { transportId, dtlsParameters });
      },
      produce: async (transportId, kind, rtpParameters, source) => {
        const reply = await this.line.request('produce', { transportId, kind, rtpParameters, source });
        return reply.producerId;
      },
      state: (transportId, direction, state) => {
        if (entry === this.entry) this.pipeChanged(transportId, direction, state);
      },
    };
  }

  // ---- sending ------------------------------------------------------------

  /** Brings what is sent in line with what is captured, one step at a time and never twice at once. */
  private async sync(): Promise<void> {
    this.syncWanted = true;
    if (this.syncing) return;
    this.syncing = true;
    const { tracks } = this.options;
    while (this.syncWanted && this.media && this.status.value === 'live') {
      this.syncWanted = false;
      // Video first, as the protocol's first client does.
      await this.syncOne('camera', tracks.camera.value, tracks.cameraOn.value);
      await this.syncOne('mic', tracks.microphone.value, tracks.microphoneOn.value);
    }
    this.syncing = false;
  }

  private async syncOne(source: Source, track: MediaStreamTrack | null, on: boolean): Promise<void> {
    const { entry } = this;
    try {
      await this.send(source, track, on);
    } catch (error) {
      // Losses of the line or of the transports are mended elsewhere.
      if (entry !== this.entry || !(error instanceof Refusal || error instanceof Unsupported)) return;
      this.say(`Your ${source === 'mic' ? 'microphone' : 'camera'} is not being sent: ${error.message}`, 'bad');
    }
  }

  private async send(source: Source, track: MediaStreamTrack | null, on: boolean): Promise<void> {
    const { media, entry } = this;
    const sent = this.publications.get(source);
    if (!media) return;
    if (!sent) {
      if (!track || !on) return;
      const publication = await media.publish(source, track, this.codec());
      if (entry === this.entry) this.publications.set(source, { publication, track, on });
      return;
    }
    if (on && track && sent.track !== track) {
      await sent.publication.replace(track);
      sent.track = track;
    }
    const wanted = on && track !== null;
    if (wanted === sent.on) return;
    sent.on = wanted;
    const producerId = sent.publication.id;
    if (wanted) {
      sent.publication.resume();
      await this.line.request('resumeProducer', { producerId });
    } else {
      sent.publication.pause();
      await this.line.request('pauseProducer', { producerId });
    }
  }

  private codec(): VideoCodec {
    if (this.options.codec) return this.options.codec;
    const forced = this.connected?.options?.forceVideoCodec?.toLowerCase().replace('video/', '');
    return forced === 'vp9' || forced === 'h264' ? forced : 'vp8';
  }

  // ---- receiving ----------------------------------------------------------

  private async consume(producerId: string): Promise<void> {
    const { media, entry } = this;
    if (!media || !this.receiving || this.receptions.has(producerId)) return;
    try {
      const consumed = await this.line.request('consume', { producerId, rtpCapabilities: media.capabilities });
      if (entry !== this.entry) return;
      const reception = await media.receive(consumed);
      const person = this.ownerOf(producerId);
      if (entry !== this.entry || !person) return reception.close();
      this.receptions.set(producerId, reception);
      (consumed.kind === 'video' ? person.video : person.audio).value = reception.track;
      if (consumed.kind === 'video' && person.layer < LAYER_MAX) this.preferLayer(consumed.consumerId, person.layer);
      await this.line.request('resumeConsumer', { consumerId: consumed.consumerId });
    } catch (error) {
      const person = this.ownerOf(producerId);
      if (entry !== this.entry || !person || !(error instanceof Refusal)) return;
      this.say(`${person.label} cannot be received: ${error.message}`, 'bad');
    }
  }

  private preferLayer(consumerId: string, spatialLayer: Layer): void {
    // A refusal only means that the picture stays as it is.
    this.line.request('setPreferredLayers', { consumerId, spatialLayer }).catch(() => undefined);
  }

  private ownerOf(producerId: string): Participant | undefined {
    return this.people.value.find((person) => person.producers.has(producerId));
  }

  private dropReception(producerId: string): void {
    const reception = this.receptions.get(producerId);
    if (!reception) return;
    this.receptions.delete(producerId);
    reception.close();
    for (const person of this.people.value) {
      if (person.video.value === reception.track) person.video.value = null;
      if (person.audio.value === reception.track) person.audio.value = null;
    }
  }

  /** Marks who is speaking, from the levels the received packets carry. */
  private listen(nowMs: number): void {
    for (const person of this.people.value) {
      for (const [producerId, { kind }] of person.producers) {
        if (kind !== 'audio') continue;
        const level = this.receptions.get(producerId)?.level() ?? 0;
        if (level > SPEAKING_LEVEL && person.microphoneOn.value) person.lastHeardMs = nowMs;
      }
      person.speaking.value = nowMs - person.lastHeardMs < SPEAKING_HOLD_MS;
    }
  }

  // ---- notices ------------------------------------------------------------

  private hear(notice: Notice): void {
    switch (notice.type) {
      case 'newPeer':
        return this.arrived(notice.payload);
      case 'peerLeft':
        return this.departed(notice.payload.peerId);
      case 'newProducer':
        return this.producerAdded(notice.payload);
      case 'producerClosed':
      case 'consumerClosed':
        return this.producerClosed(notice.payload.producerId);
      case 'producerPaused':
        return this.producerPaused(notice.payload.producerId, true);
      case 'producerResumed':
        return this.producerPaused(notice.payload.producerId, false);
      case 'transportClosed':
        // Those of an earlier entry are reported too; they were let go of on purpose.
        return this.transports.has(notice.payload.transportId) ? this.startAfresh(this.entry) : undefined;
      case 'workerLost':
        return this.startAfresh(this.entry);
      default:
        return;
    }
  }

  private arrived({ peerId, displayName }: Notices['newPeer']): void {
    const present = this.people.value.find((person) => person.id === peerId);
    if (present) {
      present.name.value = displayName ?? present.name.value;
      return;
    }
    const person = new Participant(peerId);
    person.name.value = displayName ?? '';
    this.people.value = [...this.people.value, person];
    this.say(`${person.label} joined`);
  }

  private departed(peerId: string): void {
    const person = this.people.value.find((one) => one.id === peerId);
    if (!person) return;
    for (const producerId of person.producers.keys()) this.dropReception(producerId);
    this.people.value = this.people.value.filter((one) => one !== person);
    this.say(`${person.label} left`);
  }

  private producerAdded({ peerId, displayName, ...producer }: Notices['newProducer']): void {
    if (!this.people.value.some((person) => person.id === peerId)) {
      this.arrived(displayName === undefined ? { peerId } : { peerId, displayName });
    }
    const person = this.people.value.find((one) => one.id === peerId);
    if (!person) return;
    person.producers.set(producer.producerId, producer);
    person.refresh();
    void this.consume(producer.producerId);
  }

  private producerClosed(producerId: string): void {
    const person = this.ownerOf(producerId);
    this.dropReception(producerId);
    person?.producers.delete(producerId);
    person?.refresh();
  }

  private producerPaused(producerId: string, paused: boolean): void {
    const person = this.ownerOf(producerId);
    const producer = person?.producers.get(producerId);
    if (!person || !producer) return;
    person.producers.set(producerId, { ...producer, paused });
    person.refresh();
  }

  // ---- losing and mending -------------------------------------------------

  private lineLost(): void {
    this.connected = null;
    clearTimeout(this.again);
    if (this.status.value === 'joining') {
      this.tries += 1;
      if (this.tries >= JOIN_TRIES_MAX) this.fail('unreachable', 'The server cannot be reached.');
    } else if (this.status.value === 'live') {
      this.status.value = 'reconnecting';
    }
  }

  private pipeChanged(transportId: string, direction: Direction, state: PipeState): void {
    this.pipes.set(direction, state);
    this.mediaTroubled.value = [...this.pipes.values()].some((one) => one === 'disconnected' || one === 'failed');
    if (state === 'connected') {
      this.restarts = 0;
      clearTimeout(this.rescues.get(transportId));
      this.rescues.delete(transportId);
    } else if ((state === 'disconnected' || state === 'failed') && !this.rescues.has(transportId)) {
      this.rescueLater(transportId, state === 'failed' ? 0 : ICE_PATIENCE_MS);
    }
  }

  private rescueLater(transportId: string, delayMs: number): void {
    this.rescues.set(
      transportId,
      setTimeout(() => void this.rescue(transportId), delayMs),
    );
  }

  /** Restarts ICE on one transport; if that does not bring it back in time, everything is joined anew. */
  private async rescue(transportId: string): Promise<void> {
    const { media, entry } = this;
    if (!media || this.status.value !== 'live') return;
    this.rescues.set(
      transportId,
      setTimeout(() => this.startAfresh(entry), ICE_RESTART_MS_MAX),
    );
    try {
      const { iceParameters } = await this.line.request('restartIce', { transportId });
      if (entry === this.entry) await media.restartIce(transportId, iceParameters);
    } catch (error) {
      if (error instanceof Refusal) this.startAfresh(entry);
    }
  }

  private startAfresh(entry: number): void {
    if (entry !== this.entry || this.status.value !== 'live') return;
    this.status.value = 'reconnecting';
    const delayMs = this.restarts === 0 ? 0 : backoffMs(this.restarts, Math.random());
    this.restarts += 1;
    this.again = setTimeout(() => void this.enter(), delayMs);
  }

  private fail(reason: Failure['reason'], message: string): void {
    this.failure.value = { reason, message };
    this.end('failed');
  }

  private end(status: 'left' | 'failed'): void {
    this.entry += 1;
    clearTimeout(this.again);
    for (const stop of this.stops.splice(0)) stop();
    this.closeMedia();
    this.line.close();
    batch(() => {
      this.people.value = [];
      this.status.value = status;
    });
  }

  private over(): boolean {
    return this.status.value === 'left' || this.status.value === 'failed';
  }

  private closeMedia(): void {
    this.receiving = false;
    for (const timer of this.rescues.values()) clearTimeout(timer);
    this.rescues.clear();
    this.pipes.clear();
    this.transports.clear();
    for (const producerId of [...this.receptions.keys()]) this.dropReception(producerId);
    this.publications.clear();
    this.media?.close();
    this.media = null;
  }
}
