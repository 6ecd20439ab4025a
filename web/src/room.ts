/**
 * The client's side of one room: participants, media and connection state as
 * signals; what the person can do as methods. Touches no DOM. Signalling and media
 * are interfaces given to the constructor, so that tests can replace both.
 *
 * 1. `join`: the signalling connection opens and the server greets. 2. `enter`: router
 * capabilities, then `joinRoom`; a host may have to admit us first. 3. `startMedia`:
 * participants, then both transports, then producers and consumers. 4. Notices
 * change the participants and our role. 5. A lost connection, a lost worker or a
 * transport that an ICE restart does not recover leads back to 2, with the
 * participants kept on the screen. 6. `leave`, or removal.
 */
import { batch, effect, signal, untracked } from '@preact/signals';
import { Consumers } from './consumers';
import {
  UnsupportedBrowser,
  type ConnectionState,
  type CreateMedia,
  type Media,
  type TransportSignalling,
} from './media';
import { Moderation } from './moderation';
import { POLICY_CHANGED_TEXT, ROLE_CHANGED_TEXT, serverClosingText } from './notifications';
import { Participant } from './participant';
import { Producers, type LocalTracks } from './producers';
import type { Connected, Direction, Notice, Notices, RemovalReason, Role, RoomJoined, RoomLeft } from './protocol';
import {
  ConnectionLost,
  Refusal,
  type RoomSignalling,
  type SignallingConnection,
  type SignallingEvents,
} from './signalling';
import { backoffMs } from './signallingSocket';
import type { SpatialLayer } from './tileLayout';
import { parseVideoCodec, type VideoCodec } from './videoCodec';

export type Status = 'idle' | 'joining' | 'waiting' | 'live' | 'reconnecting' | 'left' | 'failed' | 'removed';

/** Why joining failed; the page has a message for each reason. */
export interface JoinFailure {
  reason: 'unreachable' | 'unsupported' | 'refused';
  /** The server's message. */
  message: string;
  /** The server's refusal code; empty for other reasons. */
  code: string;
}

/** A short message shown over the call. */
export interface Notification {
  id: number;
  tone: 'plain' | 'bad';
  text: string;
}

export interface RoomOptions {
  roomId: string;
  displayName: string;
  /** Join token; empty where the room's name is enough. */
  token: string;
  /** Secret by which the server recognises this tab when it comes back. */
  resume: string;
  /** Codec from the page's URL; it takes precedence over the server's. */
  codec: VideoCodec | null;
  tracks: LocalTracks;
  createSignalling(events: SignallingEvents): SignallingConnection;
  createMedia: CreateMedia;
}

/** After this many failed attempts to join, the person is told that the server cannot be reached. */
const JOIN_ATTEMPTS_MAX = 3;
/** ICE often recovers by itself within this time; only then is it restarted. */
const ICE_RESTART_DELAY_MS = 2_000;
/** A transport that is not connected this long after an ICE restart causes a rejoin. */
const ICE_RESTART_MS_MAX = 6_000;
const NOTIFICATIONS_MAX = 3;
/** Long enough to read two lines. */
const NOTIFICATION_MS = 5_000;

/** After this time without an answer, another request to speak may be sent. */
const SPEAK_REQUEST_MS = 20_000;

/** Refusals that another attempt cannot change. */
const FINAL_CODES = new Set([
  'bad-request',
  'banned',
  'forbidden',
  'invalid-token',
  'limit-reached',
  'room-locked',
  'room-not-found',
]);

export class Room {
  readonly status = signal<Status>('idle');
  readonly failure = signal<JoinFailure | null>(null);
  /** The other participants, in the order in which they joined. */
  readonly participants = signal<Participant[]>([]);
  /** Number of everybody in the room, where the server does not list all of them; else 0. */
  readonly participantCount = signal(0);
  /** Id of the participant who is speaking, perhaps our own; null in silence. The server detects it. */
  readonly activeSpeaker = signal<string | null>(null);
  /** Whether a transport is disconnected or has failed. */
  readonly mediaImpaired = signal(false);
  readonly notifications = signal<Notification[]>([]);
  /** Our own role. */
  readonly role = signal<Role>('speaker');
  /** Whether a request to speak was sent less than `SPEAK_REQUEST_MS` ago and not answered. */
  readonly speakRequestPending = signal(false);
  /** Why we were removed from the room. */
  readonly removal = signal<RemovalReason | null>(null);
  /** Whether the signalling connection is open. */
  readonly connected = signal(false);
  readonly moderation: Moderation;

  private readonly signalling: SignallingConnection;
  private readonly producers: Producers;
  private readonly consumers: Consumers;
  private greeting: Connected | null = null;
  private media: Media | null = null;
  /** Number of the current attempt to enter; work of earlier attempts must not change the state. */
  private attempt = 0;
  private failedAttempts = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private speakRequestTimer: ReturnType<typeof setTimeout> | undefined;
  /** Rejoins since media was last connected: the first starts at once, later ones after a delay. */
  private rejoins = 0;
  /** Ids of the transports of the current attempt. */
  private readonly transportIds = new Set<string>();
  private readonly connectionStates = new Map<Direction, ConnectionState>();
  /** Pending ICE restarts and their timeouts, by transport id. */
  private readonly recoveryTimers = new Map<string, ReturnType<typeof setTimeout>>();
  private lastNotificationId = 0;
  private readonly disposers: (() => void)[] = [];

  constructor(private readonly options: RoomOptions) {
    this.signalling = options.createSignalling({
      onConnected: (greeting) => {
        this.greeting = greeting;
        this.connected.value = true;
        // The server repeats pending join requests to hosts who join.
        this.moderation.reset();
        void this.enter();
      },
      onNotice: (notice) => this.handleNotice(notice),
      onDisconnected: () => this.handleDisconnect(),
    });
    const signalling: RoomSignalling = {
      request: (type, payload) => this.signalling.request(type, payload),
      reportProblem: (text) => this.notify(text, 'bad'),
    };
    const canSend = () => this.status.value === 'live' && this.role.value !== 'viewer';
    this.moderation = new Moderation(signalling);
    this.producers = new Producers(options.tracks, signalling, canSend);
    this.consumers = new Consumers(this.participants, signalling);
  }

  /** Number of participants who are in the room and not in `participants`. */
  get unlistedCount(): number {
    return Math.max(0, this.participantCount.value - this.participants.value.length - 1);
  }

  get id(): string {
    return this.options.roomId;
  }

  /** Whether we are the active speaker. */
  get isSpeaking(): boolean {
    const speaker = this.activeSpeaker.value;
    return speaker !== null && speaker === this.greeting?.peerId;
  }

  join(): void {
    this.status.value = 'joining';
    this.signalling.open();
    const { tracks } = this.options;
    this.disposers.push(
      effect(() => {
        // Reads all four, so that a change of any one runs the effect again.
        void [tracks.camera.value, tracks.microphone.value, tracks.cameraOn.value, tracks.microphoneOn.value];
        untracked(() => void this.producers.sync());
      }),
    );
  }

  /** Leaves the room. The request makes the others see it at once. */
  leave(): void {
    this.signalling.request('leaveRoom', {}).catch(() => undefined);
    this.end('left');
  }

  /** Asks the hosts for the role of a speaker. */
  requestToSpeak(): void {
    if (this.speakRequestPending.value) return;
    this.speakRequestPending.value = true;
    this.speakRequestTimer = setTimeout(() => (this.speakRequestPending.value = false), SPEAK_REQUEST_MS);
    this.signalling.request('requestToSpeak', {}).then(
      () => this.notify('The hosts have been asked. You can speak when one of them allows it.'),
      (error: unknown) => {
        this.clearSpeakRequest();
        if (error instanceof Refusal) this.notify(`The hosts could not be asked: ${error.message}`, 'bad');
      },
    );
  }

  /** Reconnects at once instead of waiting for the backoff to end. */
  retryNow(): void {
    this.signalling.retryNow();
  }

  /** Requests this participant's video at the layer its tile needs. */
  setWantedLayer(participant: Participant, layer: SpatialLayer): void {
    this.consumers.setWantedLayer(participant, layer);
  }

  notify(text: string, tone: Notification['tone'] = 'plain'): void {
    this.lastNotificationId += 1;
    const notification = { id: this.lastNotificationId, tone, text };
    this.notifications.value = [...this.notifications.value, notification].slice(-NOTIFICATIONS_MAX);
    setTimeout(() => this.dismissNotification(notification.id), NOTIFICATION_MS);
  }

  dismissNotification(id: number): void {
    this.notifications.value = this.notifications.value.filter((notification) => notification.id !== id);
  }

  // ---- joining ------------------------------------------------------------

  private async enter(): Promise<void> {
    if (this.hasEnded()) return;
    clearTimeout(this.retryTimer);
    this.attempt += 1;
    const { attempt } = this;
    this.closeMedia();
    try {
      const { rtpCapabilities } = await this.signalling.request('getRouterRtpCapabilities', {});
      const media = await this.options.createMedia(rtpCapabilities, this.transportSignalling(attempt));
      if (attempt !== this.attempt) return media.close();
      this.media = media;
      const { roomId, displayName, token, resume } = this.options;
      const answer: RoomJoined | RoomLeft = await this.signalling.request('joinRoom', {
        roomId,
        displayName,
        ...(token && { token }),
        ...(resume && { resume }),
      });
      if (attempt !== this.attempt) return;
      if (isJoined(answer)) return await this.startMedia(answer, media);
      batch(() => {
        this.failedAttempts = 0;
        this.participants.value = [];
        this.status.value = 'waiting';
      });
    } catch (error) {
      if (attempt === this.attempt) this.handleEnterError(error);
    }
  }

  private async handleAdmitted(joined: RoomJoined): Promise<void> {
    const { media, attempt } = this;
    if (this.status.value !== 'waiting' || !media) return;
    this.status.value = 'joining';
    try {
      await this.startMedia(joined, media);
    } catch (error) {
      if (attempt === this.attempt) this.handleEnterError(error);
    }
  }

  private async startMedia(joined: RoomJoined, media: Media): Promise<void> {
    const { attempt } = this;
    this.applySnapshot(joined);
    const [send, recv] = await Promise.all([
      this.signalling.request('createTransport', { direction: 'send' }),
      this.signalling.request('createTransport', { direction: 'recv' }),
    ]);
    if (attempt !== this.attempt) return;
    const iceServers = this.greeting?.iceServers ?? [];
    for (const created of [send, recv]) {
      this.transportIds.add(created.transportId);
      media.openTransport(created, iceServers);
    }
    batch(() => {
      this.failedAttempts = 0;
      this.status.value = 'live';
      this.mediaImpaired.value = false;
    });
    this.consumers.start(media);
    await this.producers.start(media, this.codec());
  }

  private handleEnterError(error: unknown): void {
    if (error instanceof UnsupportedBrowser) return this.fail('unsupported', error.message);
    // After a lost connection our own earlier session may still occupy the last place.
    const isOwnPlace = error instanceof Refusal && error.code === 'limit-reached' && this.status.value === 'reconnecting';
    if (error instanceof Refusal && FINAL_CODES.has(error.code ?? '') && !isOwnPlace) {
      return this.fail('refused', error.message, error.code);
    }
    // A lost connection is reopened and enters again; after other errors we retry on the same one.
    if (error instanceof ConnectionLost) return;
    this.failedAttempts += 1;
    // A server that restarts opens no room now; the page joins when it is back.
    if (error instanceof Refusal && error.code === 'shutting-down') this.failedAttempts = 1;
    if (this.status.value === 'joining' && this.failedAttempts >= JOIN_ATTEMPTS_MAX) {
      const code = error instanceof Refusal ? error.code : undefined;
      return this.fail('refused', error instanceof Error ? error.message : String(error), code);
    }
    this.retryTimer = setTimeout(() => void this.enter(), backoffMs(this.failedAttempts, Math.random()));
  }

  /** Replaces the participants by those of the snapshot; known ones keep their place on the screen. */
  private applySnapshot(joined: RoomJoined): void {
    const known = new Map(this.participants.value.map((participant) => [participant.id, participant]));
    const participants = joined.peers.map((id) => known.get(id) ?? new Participant(id));
    batch(() => {
      for (const participant of participants) participant.producers.clear();
      const byId = new Map(participants.map((participant) => [participant.id, participant]));
      for (const { peerId, displayName, role } of joined.participants ?? []) {
        const participant = byId.get(peerId);
        if (!participant) continue;
        participant.name.value = displayName ?? participant.name.value;
        participant.role.value = role;
      }
      for (const { peerId, displayName, producers } of joined.existingProducers) {
        const participant = byId.get(peerId);
        if (!participant) continue;
        participant.name.value = displayName ?? participant.name.value;
        for (const producer of producers) participant.producers.set(producer.producerId, producer);
      }
      for (const participant of participants) participant.updateDeviceState();
      const previousIndex = new Map(this.participants.value.map(({ id }, index) => [id, index]));
      const index = ({ id }: Participant) => previousIndex.get(id) ?? Number.MAX_SAFE_INTEGER;
      this.participants.value = participants.sort((a, b) => index(a) - index(b));
      this.participantCount.value = joined.participantCount ?? 0;
      this.activeSpeaker.value = joined.activeSpeaker ?? null;
      // Servers without roles let everybody speak.
      this.role.value = joined.role ?? 'speaker';
    });
  }

  private transportSignalling(attempt: number): TransportSignalling {
    return {
      connect: async (transportId, dtlsParameters) => {
        await this.signalling.request('connectTransport', { transportId, dtlsParameters });
      },
      produce: async (transportId, kind, rtpParameters, source) => {
        const reply = await this.signalling.request('produce', { transportId, kind, rtpParameters, source });
        return reply.producerId;
      },
      onConnectionState: (transportId, direction, state) => {
        if (attempt === this.attempt) this.handleConnectionState(transportId, direction, state);
      },
    };
  }

  private codec(): VideoCodec {
    if (this.options.codec) return this.options.codec;
    return parseVideoCodec(this.greeting?.options?.forceVideoCodec) ?? 'vp8';
  }

  // ---- notices ------------------------------------------------------------

  private handleNotice(notice: Notice): void {
    this.moderation.handleNotice(notice);
    switch (notice.type) {
      case 'newPeer':
        return this.addParticipant(notice.payload);
      case 'peerLeft':
        return this.removeParticipant(notice.payload.peerId);
      case 'newProducer':
        return this.addProducer(notice.payload);
      case 'producerClosed':
        this.producers.handleClosed(notice.payload.producerId);
        return this.removeProducer(notice.payload.producerId);
      case 'producerDemandChanged':
        return this.producers.handleDemand(notice.payload);
      case 'consumerClosed':
        return this.consumers.handleClosed(notice.payload.producerId);
      case 'consumerLayersChanged':
        return this.consumers.handleLayersChanged(notice.payload.consumerId, notice.payload.spatialLayer);
      case 'producerPaused':
        return this.setProducerPaused(notice.payload.producerId, true);
      case 'producerResumed':
        return this.setProducerPaused(notice.payload.producerId, false);
      case 'transportClosed':
        // Transports of an earlier attempt are reported too; we closed those ourselves.
        return this.transportIds.has(notice.payload.transportId) ? this.rejoin(this.attempt) : undefined;
      case 'workerLost':
        return this.rejoin(this.attempt);
      case 'admitted':
        return void this.handleAdmitted(notice.payload);
      case 'roleChanged':
        return this.handleRoleChange(notice.payload);
      case 'muted':
        return this.handleMuted(notice.payload.producerId);
      case 'policyChanged':
        // While joining, this notice states the present policy and is no change.
        return this.status.value === 'live' ? this.notify(POLICY_CHANGED_TEXT[notice.payload.policy]) : undefined;
      case 'participantCount':
        this.participantCount.value = notice.payload.count;
        return;
      case 'activeSpeaker':
        this.activeSpeaker.value = notice.payload.peerId ?? null;
        return;
      case 'serverClosing':
        return this.notify(serverClosingText(notice.payload.seconds));
      case 'removed':
        this.removal.value = notice.payload.reason;
        return this.end('removed');
      default:
        return;
    }
  }

  private addParticipant({ peerId, displayName }: Notices['newPeer']): void {
    const existing = this.participant(peerId);
    if (existing) {
      existing.name.value = displayName ?? existing.name.value;
      return;
    }
    const participant = new Participant(peerId);
    participant.name.value = displayName ?? '';
    this.participants.value = [...this.participants.value, participant];
    this.notify(`${participant.label} joined`);
    if (this.role.value === 'host') void this.refreshRoles();
  }

  /** Fetches all roles: `newPeer` does not carry one, and hosts need it. */
  private async refreshRoles(): Promise<void> {
    try {
      const { participants } = await this.signalling.request('getParticipants', {});
      const roles = new Map(participants.map(({ peerId, role }) => [peerId, role]));
      for (const { id, role } of this.participants.value) role.value = roles.get(id) ?? role.value;
    } catch {
      // The next arrival or role change refreshes them.
    }
  }

  private handleRoleChange({ peerId, role }: Notices['roleChanged']): void {
    if (peerId === this.greeting?.peerId) return this.setOwnRole(role);
    const participant = this.participant(peerId);
    if (participant) participant.role.value = role;
  }

  private setOwnRole(role: Role): void {
    const before = this.role.value;
    if (before === role) return;
    this.role.value = role;
    this.clearSpeakRequest();
    if (role === 'viewer') this.producers.closeAll();
    if (role === 'host') void this.refreshRoles();
    else this.moderation.reset();
    this.notify(before === 'host' && role === 'speaker' ? ROLE_CHANGED_TEXT.retired : ROLE_CHANGED_TEXT[role]);
    void this.producers.sync();
  }

  private clearSpeakRequest(): void {
    clearTimeout(this.speakRequestTimer);
    this.speakRequestPending.value = false;
  }

  private handleMuted(producerId: string): void {
    const device = this.producers.handleMuted(producerId);
    if (device) this.notify(device === 'camera' ? 'A host turned your camera off.' : 'A host muted you.');
  }

  private removeParticipant(peerId: string): void {
    const participant = this.participant(peerId);
    if (!participant) return;
    for (const producerId of participant.producers.keys()) this.consumers.close(producerId);
    this.participants.value = this.participants.value.filter((other) => other !== participant);
    this.notify(`${participant.label} left`);
  }

  private addProducer({ peerId, displayName, ...producer }: Notices['newProducer']): void {
    if (!this.participant(peerId)) this.addParticipant(displayName === undefined ? { peerId } : { peerId, displayName });
    const participant = this.participant(peerId);
    if (!participant) return;
    participant.producers.set(producer.producerId, producer);
    participant.updateDeviceState();
    void this.consumers.consume(producer.producerId);
  }

  private participant(id: string): Participant | undefined {
    return this.participants.value.find((participant) => participant.id === id);
  }

  private ownerOf(producerId: string): Participant | undefined {
    return this.participants.value.find((participant) => participant.producers.has(producerId));
  }

  private removeProducer(producerId: string): void {
    const participant = this.ownerOf(producerId);
    this.consumers.close(producerId);
    participant?.producers.delete(producerId);
    participant?.updateDeviceState();
  }

  private setProducerPaused(producerId: string, paused: boolean): void {
    const participant = this.ownerOf(producerId);
    const producer = participant?.producers.get(producerId);
    if (!participant || !producer) return;
    participant.producers.set(producerId, { ...producer, paused });
    participant.updateDeviceState();
  }

  // ---- recovery -----------------------------------------------------------

  private handleDisconnect(): void {
    this.greeting = null;
    this.connected.value = false;
    this.activeSpeaker.value = null;
    clearTimeout(this.retryTimer);
    if (this.status.value === 'joining') {
      this.failedAttempts += 1;
      if (this.failedAttempts >= JOIN_ATTEMPTS_MAX) this.fail('unreachable', 'The server cannot be reached.');
    } else if (this.status.value === 'live') {
      this.status.value = 'reconnecting';
    }
  }

  private handleConnectionState(transportId: string, direction: Direction, state: ConnectionState): void {
    this.connectionStates.set(direction, state);
    const isBroken = (it: ConnectionState) => it === 'disconnected' || it === 'failed';
    this.mediaImpaired.value = [...this.connectionStates.values()].some(isBroken);
    if (state === 'connected') {
      this.rejoins = 0;
      clearTimeout(this.recoveryTimers.get(transportId));
      this.recoveryTimers.delete(transportId);
    } else if (isBroken(state) && !this.recoveryTimers.has(transportId)) {
      this.scheduleIceRestart(transportId, state === 'failed' ? 0 : ICE_RESTART_DELAY_MS);
    }
  }

  private scheduleIceRestart(transportId: string, delayMs: number): void {
    this.recoveryTimers.set(
      transportId,
      setTimeout(() => void this.restartIce(transportId), delayMs),
    );
  }

  /** Restarts ICE on one transport; rejoins when it is not connected in time. */
  private async restartIce(transportId: string): Promise<void> {
    const { media, attempt } = this;
    if (!media || this.status.value !== 'live') return;
    this.recoveryTimers.set(
      transportId,
      setTimeout(() => this.rejoin(attempt), ICE_RESTART_MS_MAX),
    );
    try {
      const { iceParameters } = await this.signalling.request('restartIce', { transportId });
      if (attempt === this.attempt) await media.restartIce(transportId, iceParameters);
    } catch (error) {
      if (error instanceof Refusal) this.rejoin(attempt);
    }
  }

  private rejoin(attempt: number): void {
    if (attempt !== this.attempt || this.status.value !== 'live') return;
    this.status.value = 'reconnecting';
    const delayMs = this.rejoins === 0 ? 0 : backoffMs(this.rejoins, Math.random());
    this.rejoins += 1;
    this.retryTimer = setTimeout(() => void this.enter(), delayMs);
  }

  private fail(reason: JoinFailure['reason'], message: string, code = ''): void {
    this.failure.value = { reason, message, code };
    this.end('failed');
  }

  private end(status: 'left' | 'failed' | 'removed'): void {
    this.attempt += 1;
    clearTimeout(this.retryTimer);
    this.clearSpeakRequest();
    for (const dispose of this.disposers.splice(0)) dispose();
    this.closeMedia();
    this.signalling.close();
    this.moderation.reset();
    batch(() => {
      this.participants.value = [];
      this.status.value = status;
    });
  }

  private hasEnded(): boolean {
    return ['left', 'failed', 'removed'].includes(this.status.value);
  }

  private closeMedia(): void {
    for (const timer of this.recoveryTimers.values()) clearTimeout(timer);
    this.recoveryTimers.clear();
    this.connectionStates.clear();
    this.transportIds.clear();
    this.consumers.stop();
    this.media?.close();
    this.media = null;
    this.producers.stop();
  }
}

/** Whether the reply to `joinRoom` is the room; otherwise a host has to admit us first. */
function isJoined(answer: RoomJoined | RoomLeft): answer is RoomJoined {
  return 'peers' in answer;
}
