/**
 * One meeting as the page knows it: who is here, what is heard and seen, and
 * how the connection is, all as signals; what the person can do, as methods.
 * Touches no DOM. Sees the line and the media only through the interfaces it is
 * given, so that a test can stand behind both.
 *
 * 1. `join`: the socket opens and greets. 2. `enter`: router capabilities, then
 * we ask for the room; perhaps a host has to let us in first. 3. `goIn`: everyone
 * in it, then both transports, then what we send and what we receive. 4. Notices
 * change the people, and what we may do. 5. A lost socket, a lost worker or a
 * transport that ICE cannot save all lead back to 2, with the people kept on the
 * screen. 6. `leave`, or being removed.
 */
import { batch, effect, signal, untracked } from '@preact/signals';
import { Door } from './door';
import type { Layer } from './layout';
import type { Media, OpenMedia, PipeState, VideoCodec, Wire } from './media';
import { Unsupported } from './media';
import { POLICY_NEWS, ROLE_NEWS } from './news';
import { Participant } from './participant';
import type {
  Connected,
  Direction,
  Notice,
  Notices,
  PayloadOf,
  RemovalReason,
  ReplyOf,
  RequestType,
  Role,
  RoomJoined,
  RoomLeft,
} from './protocol';
import { Receiving } from './receiving';
import { Sending, type Asking, type Tracks } from './sending';
import { LineLost, Refusal, backoffMs, type SocketEvents } from './socket';

export type Status = 'idle' | 'joining' | 'waiting' | 'live' | 'reconnecting' | 'left' | 'failed' | 'removed';

/** Why a join came to nothing; the page has a sentence for each. */
export interface Failure {
  reason: 'unreachable' | 'unsupported' | 'refused';
  /** The server's words. */
  message: string;
  /** What the server calls its refusal; empty for other reasons. */
  code: string;
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

export interface RoomOptions {
  roomId: string;
  displayName: string;
  /** What lets the person in where a name is not enough; empty for none. */
  token: string;
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
const WORDS_MAX = 3;
/** Long enough to read two lines. */
const WORD_MS = 5_000;

/** A host who does not answer a wish to speak may be asked again. */
const WISH_MS = 20_000;

/** Refusals that another try cannot change. */
const FINAL_CODES = new Set([
  'bad-request',
  'forbidden',
  'invalid-token',
  'limit-reached',
  'room-locked',
  'room-not-found',
]);

export class Room {
  readonly status = signal<Status>('idle');
  readonly failure = signal<Failure | null>(null);
  /** Everyone else, in the order they came. */
  readonly people = signal<Participant[]>([]);
  /** Whether media flows as it should; says nothing while nothing is sent or received. */
  readonly mediaTroubled = signal(false);
  readonly words = signal<Word[]>([]);
  /** What this person may do here. */
  readonly role = signal<Role>('speaker');
  /** Whether this person has asked to speak, a short while ago. */
  readonly wishing = signal(false);
  /** Why this person is here no more. */
  readonly removal = signal<RemovalReason | null>(null);
  /** Whether the server is on the line. */
  readonly lineUp = signal(false);
  readonly door: Door;

  private readonly line: Line;
  private readonly sending: Sending;
  private readonly receiving: Receiving;
  private connected: Connected | null = null;
  private media: Media | null = null;
  /** Counts the entries; whatever began in an earlier one must not touch the present. */
  private entry = 0;
  private tries = 0;
  private again: ReturnType<typeof setTimeout> | undefined;
  private wishOver: ReturnType<typeof setTimeout> | undefined;
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
        this.lineUp.value = true;
        // Who waits is told anew to hosts who come.
        this.door.close();
        void this.enter();
      },
      notice: (notice) => this.hear(notice),
      down: () => this.lineLost(),
    });
    const asking: Asking = {
      request: (type, payload) => this.line.request(type, payload),
      complain: (text) => this.say(text, 'bad'),
    };
    const maySend = () => this.status.value === 'live' && this.role.value !== 'viewer';
    this.door = new Door(asking);
    this.sending = new Sending(options.tracks, asking, maySend);
    this.receiving = new Receiving(this.people, asking);
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
        untracked(() => void this.sending.sync());
      }),
    );
    const speaking = setInterval(() => this.receiving.listen(Date.now()), SPEAKING_POLL_MS);
    this.stops.push(() => clearInterval(speaking));
  }

  /** Says goodbye, so that the others see it at once, and lets everything go. */
  leave(): void {
    this.line.request('leaveRoom', {}).catch(() => undefined);
    this.end('left');
  }

  /** Asks the hosts to be made a speaker. */
  askToSpeak(): void {
    if (this.wishing.value) return;
    this.wishing.value = true;
    this.wishOver = setTimeout(() => (this.wishing.value = false), WISH_MS);
    this.line.request('requestToSpeak', {}).then(
      () => this.say('The hosts have been asked. You can speak when one of them allows it.'),
      (error: unknown) => {
        this.wishSettled();
        if (error instanceof Refusal) this.say(`The hosts could not be asked: ${error.message}`, 'bad');
      },
    );
  }

  /** Tries now instead of waiting out the pause between tries. */
  retryNow(): void {
    this.line.retryNow();
  }

  /** Has this person's picture sent as large as its tile needs, and no larger. */
  wantLayer(person: Participant, layer: Layer): void {
    this.receiving.wantLayer(person, layer);
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
      const { roomId, displayName, token } = this.options;
      const answer: RoomJoined | RoomLeft = await this.line.request('joinRoom', {
        roomId,
        displayName,
        ...(token && { token }),
      });
      if (entry !== this.entry) return;
      if (isInside(answer)) return await this.goIn(answer, media);
      batch(() => {
        this.tries = 0;
        this.people.value = [];
        this.status.value = 'waiting';
      });
    } catch (error) {
      if (entry === this.entry) this.enteringFailed(error);
    }
  }

  /** A host has let us in. */
  private async admitted(joined: RoomJoined): Promise<void> {
    const { media, entry } = this;
    if (this.status.value !== 'waiting' || !media) return;
    this.status.value = 'joining';
    try {
      await this.goIn(joined, media);
    } catch (error) {
      if (entry === this.entry) this.enteringFailed(error);
    }
  }

  private async goIn(joined: RoomJoined, media: Media): Promise<void> {
    const { entry } = this;
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
    batch(() => {
      this.tries = 0;
      this.status.value = 'live';
      this.mediaTroubled.value = false;
    });
    this.receiving.start(media);
    await this.sending.start(media, this.codec());
  }

  private enteringFailed(error: unknown): void {
    if (error instanceof Unsupported) return this.fail('unsupported', error.message);
    if (error instanceof Refusal && FINAL_CODES.has(error.code ?? '')) {
      return this.fail('refused', error.message, error.code);
    }
    // A lost line comes back by itself and enters again; anything else is tried again on this one.
    if (error instanceof LineLost) return;
    this.tries += 1;
    if (this.status.value === 'joining' && this.tries >= JOIN_TRIES_MAX) {
      const code = error instanceof Refusal ? error.code : undefined;
      return this.fail('refused', error instanceof Error ? error.message : String(error), code);
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
      for (const { peerId, displayName, role } of joined.participants ?? []) {
        const person = byId.get(peerId);
        if (!person) continue;
        person.name.value = displayName ?? person.name.value;
        person.role.value = role;
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
      // Servers that know of no roles let everybody speak.
      this.role.value = joined.role ?? 'speaker';
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

  private codec(): VideoCodec {
    if (this.options.codec) return this.options.codec;
    const forced = this.connected?.options?.forceVideoCodec?.toLowerCase().replace('video/', '');
    return forced === 'vp9' || forced === 'h264' ? forced : 'vp8';
  }

  // ---- notices ------------------------------------------------------------

  private hear(notice: Notice): void {
    this.door.hear(notice);
    switch (notice.type) {
      case 'newPeer':
        return this.arrived(notice.payload);
      case 'peerLeft':
        return this.departed(notice.payload.peerId);
      case 'newProducer':
        return this.producerAdded(notice.payload);
      case 'producerClosed':
        this.sending.closed(notice.payload.producerId);
        return this.producerClosed(notice.payload.producerId);
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
      case 'admitted':
        return void this.admitted(notice.payload);
      case 'roleChanged':
        return this.roleChanged(notice.payload);
      case 'muted':
        return this.muted(notice.payload.producerId);
      case 'policyChanged':
        // On the way in it is how things are, and no news.
        return this.status.value === 'live' ? this.say(POLICY_NEWS[notice.payload.policy]) : undefined;
      case 'removed':
        this.removal.value = notice.payload.reason;
        return this.end('removed');
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
    if (this.role.value === 'host') void this.learnRoles();
  }

  /** Who comes is announced without a role, and a host has to know it. */
  private async learnRoles(): Promise<void> {
    try {
      const { participants } = await this.line.request('getParticipants', {});
      const roles = new Map(participants.map(({ peerId, role }) => [peerId, role]));
      for (const person of this.people.value) person.role.value = roles.get(person.id) ?? person.role.value;
    } catch {
      // The next who comes, or a change of role, brings it up to date.
    }
  }

  private roleChanged({ peerId, role }: Notices['roleChanged']): void {
    if (peerId === this.connected?.peerId) return this.become(role);
    const person = this.people.value.find((one) => one.id === peerId);
    if (person) person.role.value = role;
  }

  private become(role: Role): void {
    const before = this.role.value;
    if (before === role) return;
    this.role.value = role;
    this.wishSettled();
    if (role === 'viewer') this.sending.withdraw();
    if (role === 'host') void this.learnRoles();
    else this.door.close();
    this.say(before === 'host' && role === 'speaker' ? ROLE_NEWS.retired : ROLE_NEWS[role]);
    void this.sending.sync();
  }

  private wishSettled(): void {
    clearTimeout(this.wishOver);
    this.wishing.value = false;
  }

  private muted(producerId: string): void {
    const device = this.sending.muted(producerId);
    if (device) this.say(device === 'camera' ? 'A host turned your camera off.' : 'A host muted you.');
  }

  private departed(peerId: string): void {
    const person = this.people.value.find((one) => one.id === peerId);
    if (!person) return;
    for (const producerId of person.producers.keys()) this.receiving.drop(producerId);
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
    void this.receiving.consume(producer.producerId);
  }

  private ownerOf(producerId: string): Participant | undefined {
    return this.people.value.find((person) => person.producers.has(producerId));
  }

  private producerClosed(producerId: string): void {
    const person = this.ownerOf(producerId);
    this.receiving.drop(producerId);
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
    this.lineUp.value = false;
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

  private fail(reason: Failure['reason'], message: string, code = ''): void {
    this.failure.value = { reason, message, code };
    this.end('failed');
  }

  private end(status: 'left' | 'failed' | 'removed'): void {
    this.entry += 1;
    clearTimeout(this.again);
    this.wishSettled();
    for (const stop of this.stops.splice(0)) stop();
    this.closeMedia();
    this.line.close();
    this.door.close();
    batch(() => {
      this.people.value = [];
      this.status.value = status;
    });
  }

  private over(): boolean {
    return ['left', 'failed', 'removed'].includes(this.status.value);
  }

  private closeMedia(): void {
    for (const timer of this.rescues.values()) clearTimeout(timer);
    this.rescues.clear();
    this.pipes.clear();
    this.transports.clear();
    this.receiving.stop();
    this.media?.close();
    this.media = null;
    this.sending.stop();
  }
}

/** Whether the answer to `joinRoom` is the room, and not that a host has to let us in first. */
function isInside(answer: RoomJoined | RoomLeft): answer is RoomJoined {
  return 'peers' in answer;
}
