/**
 * The client's side of one room: participants, media and connection state as
 * signals; what the person can do as methods. Touches no DOM. Signalling and media
 * are interfaces given to the constructor, so that tests can replace both.
 *
 * 1. `prepare` (in the lobby) or `join`: the signalling connection opens, the server greets, and
 * the media device is loaded. 2. `enter`, after `join`: `joinRoom` and, without waiting for its
 * reply, both transports; a host may have to admit us first. 3. `startMedia`: participants, then
 * producers and consumers. 4. Notices change the participants and our role. 5. A lost connection,
 * a lost worker or a transport that an ICE restart does not recover leads back to 2, with the
 * participants kept on the screen. 6. `leave`, or removal.
 */
import { batch, computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import { Breakouts } from './breakouts';
import { Consumers } from './consumers';
import { Conversation } from './conversation';
import { Hosting } from './hosting';
import { UnsupportedBrowser, type Media, type TransportSignalling } from './media';
import type { StatsReports } from './mediaStats';
import { Moderation } from './moderation';
import { NotificationList, type Notification } from './notificationList';
import { named, type NotificationContent } from './notifications';
import type { Participant } from './participant';
import { ParticipantList } from './participantList';
import { Producers } from './producers';
import type { Connected, MediaSource, Notice, Notices, PageReport, RemovalReason, Role, RoomJoined, Waiting } from './protocol';
import { discardTransports, requestTransports, type RequestedTransports } from './requestedTransports';
import { ConnectionLost, Refusal, type RoomSignalling, type SignallingConnection } from './signalling';
import { backoffMs } from './signallingSocket';
import { QualityMonitor } from './qualityMonitor';
import { QualityReporter } from './qualityReporter';
import { FINAL_REFUSALS, type Identity, type JoinFailure, type RoomOptions } from './roomOptions';
import { Speakers } from './speakers';
import { SpeakRequest } from './speakRequest';
import { TransportRecovery } from './transportRecovery';
import { parseVideoCodec, type VideoCodec } from './videoCodec';

export type { Identity, JoinFailure, RoomOptions } from './roomOptions';

export type Status = 'idle' | 'joining' | 'waiting' | 'live' | 'reconnecting' | 'left' | 'failed' | 'removed';

/** After this many failed attempts to join, the person is told that the server cannot be reached. */
const JOIN_ATTEMPTS_MAX = 3;
/** Interval at which a prepared connection is checked, so that a dead one is replaced before `join`. */
const PREPARED_CHECK_MS = 15_000;

export class Room {
  readonly status = signal<Status>('idle');
  readonly failure = signal<JoinFailure | null>(null);
  private readonly list = new ParticipantList();
  /** The other participants, in the order in which they joined. */
  readonly participants: ReadonlySignal<Participant[]> = this.list.participants;
  /** Whether somebody else was here since we came. */
  readonly hadOthers: ReadonlySignal<boolean> = this.list.hadOthers;
  readonly speakers = new Speakers();
  private readonly notificationList = new NotificationList();
  readonly notifications: ReadonlySignal<Notification[]> = this.notificationList.notifications;
  /** Our own role. */
  readonly role = signal<Role>('speaker');
  /** Why we were removed from the room. */
  readonly removal = signal<RemovalReason | null>(null);
  /** Name of the meeting for people to read; empty where it has none, or is not known yet. */
  readonly title = signal('');
  /** Whether a host is in the room, who sees that we wait. */
  readonly hostPresent = signal(false);
  /** Whether the signalling connection is open. */
  readonly connected = signal(false);
  /** Whether we are in the room, and the connection to it is being restored. */
  readonly reconnecting = computed(() => {
    const status = this.status.value;
    return status === 'reconnecting' || (status === 'live' && !this.connected.value);
  });
  /** Whether the signalling connection is open, but the server does not answer. */
  readonly serverSilent = signal(false);
  /** Whether this page has just not run for a while, and the server has not answered since. */
  readonly wasAsleep = signal(false);
  readonly moderation: Moderation;
  readonly hosting: Hosting;
  readonly speakRequest: SpeakRequest;
  readonly recovery: TransportRecovery;
  readonly quality: QualityMonitor;
  readonly conversation: Conversation;
  /** What is received, and of what the page says how large it is shown. */
  readonly consumers: Consumers;
  readonly breakouts: Breakouts;

  private readonly signalling: SignallingConnection;
  private readonly roomSignalling: RoomSignalling;
  private readonly producers: Producers;
  private identity: Identity | null = null;
  private opened = false;
  private preparedCheck: ReturnType<typeof setInterval> | undefined;
  private greeting: Connected | null = null;
  /** Media of the current attempt, without transports at first. */
  private mediaReady: Promise<Media> | null = null;
  private media: Media | null = null;
  /** Reports on the call, where the server wants that. */
  private reporter: QualityReporter | null = null;
  /** Number of the current attempt to enter; work of earlier attempts must not change the state. */
  private attempt = 0;
  /** The meeting's room, or the breakout room in which we are. */
  private currentRoomId = '';
  private failedAttempts = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Rejoins since media was last connected: the first starts at once, later ones after a delay. */
  private rejoins = 0;
  /** Ids of the transports of the current attempt. */
  private readonly transportIds = new Set<string>();
  private readonly disposers: (() => void)[] = [];

  constructor(private readonly options: RoomOptions) {
    this.signalling = options.createSignalling({
      onConnected: (greeting) => this.handleConnected(greeting),
      onNotice: (notice) => this.handleNotice(notice),
      onDisconnected: (_retryMs, keepsSession) => this.handleDisconnect(keepsSession),
      onResumed: (afterSilence) => this.handleResumed(afterSilence),
      onSilence: (silent) => this.handleSilence(silent),
      onWake: () => this.handleWake(),
    });
    const signalling = (this.roomSignalling = {
      request: (type, payload) => this.signalling.request(type, payload),
      reportProblem: (content) => this.notify(content, 'bad'),
    } satisfies RoomSignalling);
    const canSend = () => this.status.value === 'live' && this.role.value !== 'viewer';
    this.moderation = new Moderation(signalling, (content) => this.notify(content));
    this.hosting = new Hosting({
      ownId: () => this.ownId,
      participant: (id) => this.list.byId(id)?.identity,
      notify: (content) => this.notify(content),
    });
    this.speakRequest = new SpeakRequest(signalling, (content, tone) => this.notify(content, tone));
    this.conversation = new Conversation(options.roomId, signalling, (content) => this.notify(content));
    this.breakouts = new Breakouts({
      signalling,
      moveTo: (joined) => this.moveTo(joined),
      notify: (content) => this.notify(content),
    });
    this.producers = new Producers(options.tracks, signalling, canSend);
    this.consumers = new Consumers(this.list, signalling);
    this.quality = new QualityMonitor(
      () => this.consumers.byParticipant(),
      () => this.participants.value,
      () => this.producers.uplink,
    );
    this.recovery = new TransportRecovery({
      isLive: () => this.status.value === 'live' && this.connected.value,
      restartIce: (transportId) => void this.restartIce(transportId),
      rejoin: () => this.rejoin(this.attempt),
    });
  }

  /** Number of participants who are in the room and not in `participants`. */
  get unlistedCount(): number {
    return this.list.unlistedCount;
  }

  get id(): string {
    return this.options.roomId;
  }

  /** Our own id; empty without a connection. */
  get ownId(): string {
    return this.greeting?.peerId ?? '';
  }

  /** Whether we are marked as speaking. */
  get isSpeaking(): boolean {
    return this.speakers.marked.value.has(this.ownId);
  }

  /** Connects to the server and loads the media device, so that `join` is fast. Reports no problem. */
  prepare(): void {
    this.opened = true;
    this.signalling.open();
    const check = () => this.signalling.request('getRouterRtpCapabilities', {}).catch(() => undefined);
    this.preparedCheck = setInterval(check, PREPARED_CHECK_MS);
  }

  join(): void {
    clearInterval(this.preparedCheck);
    this.identity = this.options.identify();
    this.status.value = 'joining';
    if (this.greeting) void this.enter();
    else if (this.opened) this.signalling.retryNow();
    else this.signalling.open();
    const { tracks, saveData } = this.options;
    this.disposers.push(
      effect(() => {
        const camerasWanted = !saveData.value;
        untracked(() => this.consumers.setCamerasWanted(camerasWanted));
      }),
      effect(() => {
        // Reads all, so that a change of any one runs the effect again.
        void [tracks.camera.value, tracks.microphone.value, tracks.cameraOn.value, tracks.microphoneOn.value, tracks.screens.value];
        untracked(() => void this.producers.sync());
      }),
    );
  }

  /** Leaves the room. The request makes the others see it at once. */
  leave(): void {
    if (this.identity) this.signalling.request('leaveRoom', {}).catch(() => undefined);
    this.end('left');
  }

  /** Reads what the browser reports of all that is sent and received; null while there is no media. */
  async statsReports(): Promise<(StatsReports & { sources: ReadonlyMap<string, MediaSource> }) | null> {
    const { media } = this;
    if (!media || this.status.value !== 'live') return null;
    return { ...(await media.reports()), sources: media.sentSources };
  }

  /** Reconnects at once instead of waiting for the backoff to end, or for a silent server. */
  retryNow(): void {
    this.signalling.retryNow();
  }

  /** Builds the media anew, which does not get through. */
  retryMedia(): void {
    this.rejoin(this.attempt);
  }

  notify(content: NotificationContent, tone: Notification['tone'] = 'plain', action?: () => void): void {
    this.notificationList.add(content, tone, action);
  }

  dismissNotification(id: number): void {
    this.notificationList.dismiss(id);
  }

  // ---- joining ------------------------------------------------------------

  private handleConnected(greeting: Connected): void {
    this.greeting = greeting;
    this.connected.value = true;
    if (this.status.value === 'live') this.status.value = 'reconnecting';
    this.conversation.stop();
    this.currentRoomId = this.options.roomId;
    this.breakouts.reset();
    // The server repeats pending join requests to hosts who join.
    this.moderation.reset();
    this.startAttempt();
  }

  /** Replaces the media of the attempt before, and enters the room. */
  private startAttempt(): void {
    if (this.hasEnded()) return;
    this.replaceMedia();
    void this.enter();
  }

  private replaceMedia(): void {
    clearTimeout(this.retryTimer);
    this.attempt += 1;
    this.closeMedia();
    this.mediaReady = this.createMedia(this.attempt);
    // `startMedia` handles the error.
    this.mediaReady.catch(() => undefined);
  }

  /** Goes on in another room of the meeting, in which the server has put us; media starts anew there. */
  private moveTo(joined: RoomJoined): void {
    if (this.hasEnded()) return;
    this.replaceMedia();
    this.currentRoomId = joined.roomId;
    this.conversation.clear();
    void this.startJoined(joined);
  }

  private async createMedia(attempt: number): Promise<Media> {
    const { rtpCapabilities } = await this.signalling.request('getRouterRtpCapabilities', {});
    const media = await this.options.createMedia(rtpCapabilities, this.transportSignalling(attempt));
    if (attempt === this.attempt) this.media = media;
    else media.close();
    return media;
  }

  /** Joins the room. Does nothing before `join`. */
  private async enter(): Promise<void> {
    const { attempt, identity } = this;
    if (!identity) return;
    const { displayName, token, resume } = identity;
    const answering = this.signalling.request('joinRoom', {
      roomId: this.currentRoomId,
      displayName,
      ...(token && { token }),
      ...(resume && { resume, resumable: true }),
    });
    const transports = requestTransports(this.roomSignalling);
    try {
      const answer: RoomJoined | Waiting = await answering;
      if (attempt !== this.attempt) return;
      if (resume) this.signalling.keepSession(resume);
      if (isJoined(answer)) return await this.startMedia(answer, transports);
      discardTransports(this.roomSignalling, transports);
      batch(() => {
        this.failedAttempts = 0;
        this.list.clear();
        this.applyWaiting(answer);
        this.status.value = 'waiting';
      });
    } catch (error) {
      if (attempt !== this.attempt) return;
      discardTransports(this.roomSignalling, transports);
      this.handleEnterError(error);
    }
  }

  private handleAdmitted(joined: RoomJoined): void {
    if (this.status.value === 'waiting') void this.startJoined(joined);
  }

  /** Starts media in a room in which we are already. */
  private async startJoined(joined: RoomJoined): Promise<void> {
    const { attempt } = this;
    this.status.value = 'joining';
    try {
      await this.startMedia(joined, requestTransports(this.roomSignalling));
    } catch (error) {
      if (attempt === this.attempt) this.handleEnterError(error);
    }
  }

  private async startMedia(joined: RoomJoined, transports: RequestedTransports): Promise<void> {
    const { attempt } = this;
    this.applySnapshot(joined);
    this.conversation.start(this.ownId);
    const [media, ...created] = await Promise.all([this.mediaReady, ...transports]);
    if (attempt !== this.attempt || !media) return;
    const iceServers = this.greeting?.iceServers ?? [];
    for (const transport of created) {
      this.transportIds.add(transport.transportId);
      media.openTransport(transport, iceServers);
    }
    batch(() => {
      this.failedAttempts = 0;
      this.wasAsleep.value = false;
      this.status.value = 'live';
    });
    this.quality.start(media);
    this.startReports(media);
    // The pictures of the others come first: negotiating both at once delays them on a slow machine.
    await this.consumers.start(media);
    if (attempt === this.attempt) await this.producers.start(media, this.options.codec ?? serverCodec(this.greeting));
  }

  /** Starts to report on the call, where the server wants that. */
  private startReports(media: Media): void {
    const intervalS = this.greeting?.options?.reportIntervalS;
    const { devices } = this.options;
    if (!intervalS || !devices) return;
    this.reporter?.stop();
    const send = (report: PageReport) => void this.signalling.request('reportQuality', report).catch(() => undefined);
    this.reporter = new QualityReporter({ reports: () => media.reports(), devices, send }, intervalS);
  }

  private handleEnterError(error: unknown): void {
    if (error instanceof UnsupportedBrowser) return this.fail('unsupported', error.message);
    // After a lost connection our own earlier session may still occupy the last place.
    const isOwnPlace = error instanceof Refusal && error.code === 'limit-reached' && this.status.value === 'reconnecting';
    if (error instanceof Refusal && FINAL_REFUSALS.has(error.code ?? '') && !isOwnPlace) {
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
    this.retryTimer = setTimeout(() => this.startAttempt(), backoffMs(this.failedAttempts, Math.random()));
  }

  private applySnapshot(joined: RoomJoined): void {
    batch(() => {
      this.list.applySnapshot(joined);
      this.hosting.applySnapshot(joined);
      this.title.value = joined.title ?? '';
      this.speakers.update(joined.activeSpeaker);
      // Servers without roles let everybody speak.
      this.role.value = joined.role ?? 'speaker';
    });
  }

  private applyWaiting({ title = '', hostPresent }: Waiting): void {
    this.title.value = title;
    this.hostPresent.value = hostPresent;
  }

  private transportSignalling(attempt: number): TransportSignalling {
    return {
      connect: (transportId, dtlsParameters) => {
        this.signalling.request('connectTransport', { transportId, dtlsParameters }).catch((error: unknown) => {
          if (error instanceof Refusal) this.rejoin(attempt);
        });
      },
      produce: async (transportId, kind, rtpParameters, source) => {
        const reply = await this.signalling.request('produce', { transportId, kind, rtpParameters, source });
        return reply.producerId;
      },
      onConnectionState: (transportId, direction, state) => {
        if (attempt !== this.attempt) return;
        if (state === 'connected') this.rejoins = 0;
        this.recovery.handleConnectionState(transportId, direction, state);
      },
    };
  }

  // ---- notices ------------------------------------------------------------

  private handleNotice(notice: Notice): void {
    if (!this.identity) return;
    this.moderation.handleNotice(notice);
    this.conversation.handleNotice(notice);
    this.hosting.handleNotice(notice);
    this.breakouts.handleNotice(notice);
    this.list.handleNotice(notice);
    this.producers.handleNotice(notice);
    this.consumers.handleNotice(notice);
    switch (notice.type) {
      case 'newPeer':
        return this.addParticipant(notice.payload);
      case 'peerLeft':
        return this.removeParticipant(notice.payload.peerId);
      case 'newProducer':
        return this.addProducer(notice.payload);
      case 'producerClosed':
        return this.removeProducer(notice.payload.producerId);
      case 'transportClosed':
        // Transports of an earlier attempt are reported too; we closed those ourselves.
        return this.transportIds.has(notice.payload.transportId) ? this.rejoin(this.attempt) : undefined;
      case 'workerLost':
        return this.rejoin(this.attempt);
      case 'waiting':
        return this.applyWaiting(notice.payload);
      case 'admitted':
        return this.handleAdmitted(notice.payload);
      case 'roleChanged':
        return this.handleRoleChange(notice.payload);
      case 'muted':
        return this.handleMuted(notice.payload.producerId);
      case 'policyChanged':
        // While joining, this notice states the present policy and is no change.
        return this.status.value === 'live' ? this.notify({ code: 'policyChanged', ...notice.payload }) : undefined;
      case 'activeSpeaker':
        return this.speakers.update(notice.payload.peerId);
      case 'serverClosing':
        return this.notify({ code: 'serverClosing', seconds: notice.payload.seconds });
      case 'removed':
        this.removal.value = notice.payload.reason;
        return this.end('removed');
      default:
        return;
    }
  }

  private addParticipant(peer: Notices['newPeer']): void {
    if (!this.list.add(peer)) return;
    // People come and go all the time while there are breakout rooms.
    const isNews = !this.list.takeReturning(peer) && !this.breakouts.state.value;
    if (isNews) this.notify({ code: 'joined', who: named(peer) });
    if (this.role.value === 'host') void this.refreshRoles();
  }

  /** Fetches all roles: `newPeer` does not carry one, and hosts need it. */
  private async refreshRoles(): Promise<void> {
    try {
      const { participants } = await this.signalling.request('getParticipants', {});
      this.list.updateRoles(participants);
    } catch {
      // The next arrival or role change refreshes them.
    }
  }

  private handleRoleChange({ peerId, role }: Notices['roleChanged']): void {
    if (peerId === this.ownId) return this.setOwnRole(role);
    const participant = this.list.byId(peerId);
    if (participant) participant.role.value = role;
  }

  private setOwnRole(role: Role): void {
    const before = this.role.value;
    if (before === role) return;
    this.role.value = role;
    this.speakRequest.clear();
    if (role === 'viewer') this.producers.closeAll();
    if (role === 'host') void this.refreshRoles();
    else this.moderation.reset();
    this.notify({ code: 'roleChanged', role: before === 'host' && role === 'speaker' ? 'retired' : role });
    void this.producers.sync();
  }

  private handleMuted(producerId: string): void {
    const device = this.producers.handleMuted(producerId);
    if (device) this.notify({ code: 'muted', device });
  }

  private removeParticipant(peerId: string): void {
    const participant = this.list.byId(peerId);
    if (!participant) return;
    for (const { id } of participant.producers.value) this.consumers.close(id);
    this.list.remove(participant);
    if (!this.breakouts.state.value) this.notify({ code: 'left', who: participant.identity });
  }

  private addProducer({ peerId, displayName, ...producer }: Notices['newProducer']): void {
    if (!this.list.byId(peerId)) this.addParticipant(displayName === undefined ? { peerId } : { peerId, displayName });
    this.list.addProducer(peerId, producer);
    void this.consumers.consume(producer.producerId);
  }

  private removeProducer(producerId: string): void {
    this.consumers.close(producerId);
    this.list.removeProducer(producerId);
  }

  // ---- recovery -----------------------------------------------------------

  private handleDisconnect(keepsSession: boolean): void {
    this.connected.value = false;
    this.speakers.clear();
    if (this.status.value === 'joining') {
      this.failedAttempts += 1;
      if (this.failedAttempts >= JOIN_ATTEMPTS_MAX) return this.fail('unreachable', '');
    }
    if (keepsSession) return;
    this.greeting = null;
    this.conversation.stop();
    clearTimeout(this.retryTimer);
    if (this.status.value === 'live') {
      this.status.value = 'reconnecting';
    }
  }

  /** Goes on with the session: its media never stopped, unless the path is gone too. */
  private handleResumed(afterSilence: boolean): void {
    batch(() => {
      this.connected.value = true;
      this.wasAsleep.value = false;
      this.speakers.restore();
    });
    this.recovery.retry(afterSilence);
  }

  private handleSilence(silent: boolean): void {
    this.serverSilent.value = silent;
    // The server gave up the connection while this page slept.
    if (silent && this.wasAsleep.value) this.signalling.retryNow();
  }

  private handleWake(): void {
    this.wasAsleep.value = true;
    this.signalling.request('ping', {}).then(
      () => (this.wasAsleep.value = false),
      () => undefined,
    );
  }

  private async restartIce(transportId: string): Promise<void> {
    const { media, attempt } = this;
    try {
      const { iceParameters } = await this.signalling.request('restartIce', { transportId });
      if (attempt === this.attempt) await media?.restartIce(transportId, iceParameters);
    } catch (error) {
      if (error instanceof Refusal) this.rejoin(attempt);
    }
  }

  private rejoin(attempt: number): void {
    if (attempt !== this.attempt || this.status.value !== 'live') return;
    this.status.value = 'reconnecting';
    const delayMs = this.rejoins === 0 ? 0 : backoffMs(this.rejoins, Math.random());
    this.rejoins += 1;
    this.retryTimer = setTimeout(() => this.startAttempt(), delayMs);
  }

  private fail(reason: JoinFailure['reason'], message: string, code = ''): void {
    this.failure.value = { reason, message, code };
    this.end('failed');
  }

  private end(status: 'left' | 'failed' | 'removed'): void {
    this.attempt += 1;
    clearTimeout(this.retryTimer);
    clearInterval(this.preparedCheck);
    this.speakRequest.clear();
    this.conversation.stop();
    this.breakouts.reset();
    this.hosting.dismissUnmuteRequest();
    this.speakers.clear();
    for (const dispose of this.disposers.splice(0)) dispose();
    this.closeMedia();
    this.signalling.close();
    this.moderation.reset();
    batch(() => {
      this.list.clear();
      this.status.value = status;
    });
  }

  private hasEnded(): boolean {
    return ['left', 'failed', 'removed'].includes(this.status.value);
  }

  private closeMedia(): void {
    this.recovery.reset();
    this.quality.stop();
    this.reporter?.stop();
    this.reporter = null;
    this.transportIds.clear();
    this.consumers.stop();
    this.media?.close();
    this.media = null;
    this.mediaReady = null;
    this.producers.stop();
  }
}

/** Returns the codec to send video in that the server asks for. */
function serverCodec(greeting: Connected | null): VideoCodec {
  return parseVideoCodec(greeting?.options?.forceVideoCodec) ?? 'vp8';
}

/** Whether the reply to `joinRoom` is the room; otherwise a host has to admit us first. */
function isJoined(answer: RoomJoined | Waiting): answer is RoomJoined {
  return 'peers' in answer;
}
