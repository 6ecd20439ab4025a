/**
 * State of the whole page: which page is shown, the person's name, the current room.
 * Connects capture, signalling, media and room; the components call its methods
 * and read its signals.
 */
import { computed, effect, signal, untracked } from '@preact/signals-core';
import { BASE_URL } from './basePath';
import {
  loadCameraQuality,
  loadHostToken,
  loadOngoingCall,
  loadPersonSettings,
  loadSaveData,
  loadTabSecret,
  saveCameraQuality,
  saveHostToken,
  saveOngoingCall,
  savePersonSettings,
  saveSaveData,
} from './browserStorage';
import { CameraBackground } from './cameraBackground';
import type { CameraQuality } from './cameraQuality';
import { Capture, type Device } from './capture';
import { createRoom } from './createRoom';
import { LeaveGuard } from './leaveGuard';
import { mediaFactory } from './media';
import { CallMediaSession } from './mediaSession';
import { OtherTabs } from './otherTabs';
import {
  PERSON_NAME_MAX,
  cleanText,
  cutText,
  isKnownPath,
  parsePageUrl,
  roomLink,
  titleOf,
  urlForRoom,
  webSocketUrl,
  type Destination,
  type PageOptions,
} from './pageUrl';
import type { LocalTracks } from './producers';
import type { Policy, RemovalReason } from './protocol';
import { Room, type JoinFailure } from './room';
import { generateRoomTitle } from './roomNames';
import { ScreenCapture } from './screenCapture';
import type { SignallingConnection, SignallingEvents } from './signalling';
import { SignallingSocket } from './signallingSocket';
import { ScreenWakeLock } from './wakeLock';

export type PageName = 'landing' | 'lobby' | 'call' | 'left' | 'notFound';

export class App {
  readonly page = signal<PageName>('landing');
  readonly name = signal('');
  readonly roomId = signal('');
  /** Join token; empty where the room's name is enough. */
  readonly token = signal('');
  readonly room = signal<Room | null>(null);
  /** What to call the room: the name of the meeting, or else the room's. */
  readonly roomTitle = computed(() => this.room.value?.title.value || this.invitationTitle() || this.roomId.value);
  /** Why the last attempt to join failed. */
  readonly failure = signal<JoinFailure | null>(null);
  /** Why the person was removed from the room. */
  readonly removal = signal<RemovalReason | null>(null);
  /** Whether the microphone is on and the role permits sending. */
  readonly microphoneLive = computed(() => this.capture.microphoneOn.value && !this.isViewer());
  /** Whether the camera is on and the role permits sending. */
  readonly cameraLive = computed(() => this.capture.cameraOn.value && !this.isViewer());
  /** Whether cameras are neither received nor sent, to save data. */
  readonly saveData = signal(loadSaveData());
  /** Whether our camera was on when saving data began, and comes back when it ends. */
  readonly cameraPaused = signal(false);
  /** Whether the browser refuses to play audio before the person interacts with the page. */
  readonly audioBlocked = signal(false);
  /** Whether the statistics of the call are shown. */
  readonly statsShown = signal(false);
  readonly capture: Capture;
  readonly background: CameraBackground;
  readonly screens = new ScreenCapture();
  readonly createMedia = mediaFactory();
  readonly leaveGuard = new LeaveGuard();
  readonly otherTabs = new OtherTabs(() => this.handleTaken());

  private readonly options: PageOptions;
  private readonly wakeLock = new ScreenWakeLock();
  private readonly mediaSession = new CallMediaSession({
    toggleMicrophone: () => this.toggle('microphone'),
    toggleCamera: () => this.toggle('camera'),
    leave: () => this.leave(),
  });
  /** Room of the lobby, which is connected already when the person joins. */
  private preparedRoom: Room | null = null;
  private stopObservingRoom: () => void = () => undefined;
  /** Whether saving data was offered in this visit. */
  private saveDataOffered = false;

  constructor() {
    this.options = parsePageUrl(new URL(location.href));
    const [settings, quality] = [loadPersonSettings(), loadCameraQuality()];
    const ongoing = loadOngoingCall();
    const { roomId, token } = this.options;
    const resumed = ongoing?.roomId === roomId ? ongoing : null;
    this.roomId.value = roomId;
    this.token.value = token;
    this.name.value = this.options.name || resumed?.name || settings.name;
    this.capture = new Capture({
      ...settings,
      camera: resumed ? resumed.camera : this.options.camera,
      microphone: resumed ? resumed.microphone : this.options.microphone,
      quality: this.options.width === null ? quality : { ...quality, width: this.options.width },
    });
    this.background = new CameraBackground(this.capture.camera);
    this.saveStateOnChange();
    addEventListener('popstate', () => void (this.leaveGuard.holdBack() || this.handleUrlChange()));
    addEventListener('online', () => this.handleOnline());
    if (!isKnownPath(BASE_URL, new URL(location.href))) this.page.value = 'notFound';
    else if (roomId && (resumed || this.options.autojoin)) void this.join();
    else if (roomId) this.showLobby();
  }

  /** Link that brings others to this room. */
  get link(): string {
    return roomLink(BASE_URL, { roomId: this.roomId.value, token: this.token.value });
  }

  /** Shows the lobby of this room. */
  openRoom(destination: Destination): void {
    history.pushState(null, '', urlForRoom(BASE_URL, new URL(location.href), destination));
    this.roomId.value = destination.roomId;
    this.token.value = destination.token;
    this.failure.value = null;
    this.showLobby();
  }

  /** Creates a room with this policy and shows its lobby. */
  async createRoom(policy: Policy, title: string): Promise<void> {
    const room = { hostName: this.name.value || 'Host', title: title || generateRoomTitle(), policy };
    const created = await createRoom(BASE_URL, room, this.token.value);
    if (created.hostToken) saveHostToken(created.destination.roomId, created.hostToken);
    this.openRoom(created.destination);
  }

  showLanding(): void {
    history.pushState(null, '', urlForRoom(BASE_URL, new URL(location.href), { roomId: '', token: '' }));
    this.handleUrlChange();
  }

  /**
   * Opens the devices that are switched on and joins. A device that fails does not prevent joining. The lobby tells
   * of a name that is too long; without the lobby it is cut.
   */
  async join(): Promise<void> {
    this.name.value = cutText(cleanText(this.name.value), PERSON_NAME_MAX);
    this.failure.value = null;
    this.removal.value = null;
    const room = this.preparedRoom ?? this.newRoom();
    this.preparedRoom = null;
    this.room.value = room;
    this.otherTabs.enter(this.roomId.value);
    this.page.value = 'call';
    this.statsShown.value = false;
    // A camera that was paused in the preview comes back when saving data ends.
    if (this.saveData.value) this.pauseCamera();
    else this.cameraPaused.value = false;
    room.join();
    this.observeRoom(room);
    await this.capture.start();
  }

  /** Switches a device on or off. A viewer gets a notification instead. */
  toggle(device: Device): void {
    if (this.isViewer()) this.room.value?.notify({ code: 'viewerCannotSend' });
    else if (device === 'camera' && this.saveData.value) this.room.value?.notify({ code: 'cameraPaused' });
    else void this.capture.toggle(device);
  }

  /** Sets resolution and frame rate of the camera, now and for later visits. */
  setCameraQuality(quality: CameraQuality): void {
    saveCameraQuality(quality);
    void this.capture.setQuality(quality);
  }

  /** Lets the person choose a screen, and shares it. */
  async shareScreen(): Promise<void> {
    const room = this.room.value;
    if (this.isViewer()) return room?.notify({ code: 'viewerCannotSend' });
    if (!this.mayShareScreens()) return room?.notify({ code: 'onlyHostsShare' });
    const error = await this.screens.start();
    if (error) room?.notify({ code: 'screenFailed', error }, 'bad');
    // The person may have left, or may not send any more, before choosing.
    if (this.page.value !== 'call' || this.isViewer()) this.screens.stopAll();
  }

  /** Switches between all media and sound with shared screens only. */
  toggleSaveData(): void {
    const saving = !this.saveData.value;
    this.saveData.value = saving;
    saveSaveData(saving);
    if (saving) return this.pauseCamera();
    const wasPaused = this.cameraPaused.value;
    this.cameraPaused.value = false;
    if (wasPaused && !this.isViewer()) void this.capture.toggle('camera');
  }

  leave(): void {
    this.leaveRoom();
    this.capture.stop();
    this.page.value = 'left';
  }

  /** Returns a connection to the server, which is not open yet. */
  createSignalling(events: SignallingEvents): SignallingConnection {
    return new SignallingSocket(webSocketUrl(BASE_URL), events);
  }

  private pauseCamera(): void {
    if (!this.capture.cameraOn.value) return;
    this.cameraPaused.value = true;
    this.capture.switchOff('camera');
  }

  private newRoom(): Room {
    return new Room({
      roomId: this.roomId.value,
      identify: () => ({
        displayName: this.name.value,
        token: loadHostToken(this.roomId.value) || this.token.value,
        resume: loadTabSecret(),
      }),
      codec: this.options.codec,
      tracks: this.localTracks(),
      devices: () => this.capture.states(),
      saveData: this.saveData,
      createSignalling: (events) => this.createSignalling(events),
      createMedia: this.createMedia,
    });
  }

  private invitationTitle(): string {
    return titleOf({ roomId: this.roomId.value, token: this.token.value });
  }

  private localTracks(): LocalTracks {
    const { microphone, cameraOn, microphoneOn } = this.capture;
    return {
      camera: this.background.track,
      microphone,
      cameraOn,
      microphoneOn,
      screens: this.screens.screens,
      switchOff: (device) => this.capture.switchOff(device),
      stopScreen: (id) => this.screens.stop(id),
    };
  }

  /** Whether the hosts let us begin to share a screen. */
  private mayShareScreens(): boolean {
    const room = this.room.value;
    return room?.hosting.sharing.value !== 'hosts' || room.role.value === 'host';
  }

  private isViewer(): boolean {
    return this.room.value?.role.value === 'viewer';
  }

  /** Reacts to changes of the room's status and of our role. */
  private observeRoom(room: Room): void {
    let wasViewer = false;
    const stopOffering = effect(() => {
      if (room.quality.ownLasting.value) untracked(() => this.offerSaveData(room));
    });
    const stopTelling = effect(() => {
      if (room.quality.overTcp.value) untracked(() => room.notify({ code: 'onlyTcp' }));
    });
    const stopObserving = effect(() => {
      const status = room.status.value;
      const isViewer = room.role.value === 'viewer';
      untracked(() => {
        if (status === 'failed') return this.handleJoinFailure(room);
        if (status === 'removed') return this.handleRemoval(room);
        if (isViewer === wasViewer) return;
        wasViewer = isViewer;
        // A viewer sends nothing: the device lights must be off.
        if (isViewer) this.stopSending();
        else void this.capture.start();
      });
    });
    this.stopObservingRoom = () => {
      stopOffering();
      stopTelling();
      stopObserving();
    };
  }

  /** Offers once to save data, if there are cameras to pause. */
  private offerSaveData(room: Room): void {
    const hasCameras = this.cameraLive.value || room.participants.value.some(({ cameraOn }) => cameraOn.value);
    if (this.saveDataOffered || this.saveData.value || !hasCameras) return;
    this.saveDataOffered = true;
    room.notify({ code: 'saveDataOffer' }, 'plain', () => {
      if (!this.saveData.value) this.toggleSaveData();
    });
  }

  /** The network is back: reconnects, or repeats an attempt to join that failed without it. */
  private handleOnline(): void {
    const wasUnreachable = this.page.value === 'lobby' && this.failure.value?.reason === 'unreachable';
    if (wasUnreachable) return void this.join();
    this.preparedRoom?.retryNow();
    this.room.value?.retryNow();
  }

  private handleJoinFailure(room: Room): void {
    this.failure.value = room.failure.value;
    this.screens.stopAll();
    saveOngoingCall(null);
    this.showLobby();
    queueMicrotask(() => this.stopObservingRoom());
  }

  private handleRemoval(room: Room): void {
    this.removal.value = room.removal.value;
    saveOngoingCall(null);
    this.stopSending();
    this.page.value = 'left';
    queueMicrotask(() => this.stopObservingRoom());
  }

  /** The person has joined in another tab of this browser. */
  private handleTaken(): void {
    this.leaveRoom();
    this.capture.stop();
    this.removal.value = 'replaced';
    this.page.value = 'left';
  }

  private stopSending(): void {
    this.capture.stop();
    this.screens.stopAll();
  }

  private leaveRoom(): void {
    this.stopObservingRoom();
    this.screens.stopAll();
    this.preparedRoom?.leave();
    this.preparedRoom = null;
    this.room.value?.leave();
    this.room.value = null;
    saveOngoingCall(null);
  }

  private showLobby(): void {
    this.page.value = 'lobby';
    this.otherTabs.ask(this.roomId.value);
    this.preparedRoom?.leave();
    this.preparedRoom = this.newRoom();
    this.preparedRoom.prepare();
    void this.capture.start();
  }

  private handleUrlChange(): void {
    this.leaveRoom();
    this.failure.value = null;
    const { roomId, token } = parsePageUrl(new URL(location.href));
    this.roomId.value = roomId;
    this.token.value = token;
    if (roomId) return this.showLobby();
    this.capture.stop();
    this.page.value = 'landing';
  }

  /** Saves what a reload or a later visit needs whenever it changes. */
  private saveStateOnChange(): void {
    const { capture } = this;
    effect(() => {
      const isInCall = this.page.value === 'call';
      untracked(() => {
        this.leaveGuard.setActive(isInCall);
        this.wakeLock.setActive(isInCall);
        this.mediaSession.setActive(isInCall);
        if (!isInCall) this.otherTabs.leave();
      });
    });
    effect(() => {
      const problem = this.background.problem.value;
      if (problem) untracked(() => this.room.value?.notify({ code: 'backgroundOff', problem }, 'bad'));
    });
    effect(() => this.mediaSession.setDevices(this.microphoneLive.value, this.cameraLive.value));
    effect(() => {
      savePersonSettings({
        name: this.name.value,
        cameraId: capture.cameraId.value,
        microphoneId: capture.microphoneId.value,
        speakerId: capture.output.chosenId.value,
      });
    });
    effect(() => {
      if (this.page.value !== 'call') return;
      saveOngoingCall({
        roomId: this.roomId.value,
        name: this.name.value,
        // After a reload it is paused again, and comes back when saving data ends.
        camera: capture.cameraOn.value || this.cameraPaused.value,
        microphone: capture.microphoneOn.value,
      });
    });
  }
}
