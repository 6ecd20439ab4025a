/**
 * The visit: which screen is shown, who the person is, which room they are in.
 * Puts capture, socket, media and room together; the screens call its methods
 * and read its signals.
 */
import { computed, effect, signal, untracked } from '@preact/signals';
import {
  PERSON_NAME_MAX,
  readAddress,
  roomLink,
  socketUrl,
  tidy,
  withRoom,
  type Destination,
  type PageOptions,
} from './address';
import { createRoom } from './api';
import { Capture, type Device } from './capture';
import { openMedia } from './media';
import { hostToken, ongoingCall, person, rememberCall, rememberHosting, rememberPerson } from './memory';
import { WATCHING } from './news';
import type { Policy, RemovalReason } from './protocol';
import { Room, type Failure } from './room';
import { Socket } from './socket';

export type Screen = 'landing' | 'lobby' | 'call' | 'left';

export class App {
  readonly screen = signal<Screen>('landing');
  readonly name = signal('');
  readonly roomId = signal('');
  /** What lets the person in where the room's name is not enough; empty for none. */
  readonly token = signal('');
  readonly room = signal<Room | null>(null);
  /** Why the last join came to nothing. */
  readonly failure = signal<Failure | null>(null);
  /** Why the person is in the room no more, though it did not leave. */
  readonly removal = signal<RemovalReason | null>(null);
  /** Whether the others can hear the person, as far as the switch and the role go. */
  readonly heard = computed(() => this.capture.microphoneOn.value && !this.watching());
  /** Whether the others can see the person, likewise. */
  readonly seen = computed(() => this.capture.cameraOn.value && !this.watching());
  /** Whether the browser refuses to play sound until the person touches the page. */
  readonly soundBlocked = signal(false);
  readonly capture: Capture;

  private readonly options: PageOptions;
  private unfollow: () => void = () => undefined;

  constructor() {
    this.options = readAddress(new URL(location.href));
    const remembered = person();
    const ongoing = ongoingCall();
    const { roomId, token } = this.options;
    const back = ongoing?.roomId === roomId ? ongoing : null;
    this.roomId.value = roomId;
    this.token.value = token;
    this.name.value = this.options.name || back?.name || remembered.name;
    this.capture = new Capture({
      ...remembered,
      camera: back ? back.camera : this.options.camera,
      microphone: back ? back.microphone : this.options.microphone,
      width: this.options.width,
    });
    this.remember();
    addEventListener('popstate', () => this.addressChanged());
    addEventListener('online', () => this.room.value?.retryNow());
    if (roomId && (back || this.options.autojoin)) void this.join();
    else if (roomId) this.toLobby();
  }

  /** What others need to come to this room. */
  get link(): string {
    return roomLink(new URL(location.href), { roomId: this.roomId.value, token: this.token.value });
  }

  /** To the preview of this room. */
  choose(destination: Destination): void {
    history.pushState(null, '', withRoom(new URL(location.href), destination));
    this.roomId.value = destination.roomId;
    this.token.value = destination.token;
    this.failure.value = null;
    this.toLobby();
  }

  /** Has the server make a room where this decides who may join, and goes to its preview. */
  async create(policy: Policy): Promise<void> {
    const hostName = this.name.value || 'Host';
    const made = await createRoom(new URL(location.href), hostName, policy, this.token.value);
    if (made.hostToken) rememberHosting(made.destination.roomId, made.hostToken);
    this.choose(made.destination);
  }

  toLanding(): void {
    history.pushState(null, '', withRoom(new URL(location.href), { roomId: '', token: '' }));
    this.addressChanged();
  }

  /** Opens what is switched on and goes in. A device that fails does not keep the person out. */
  async join(): Promise<void> {
    this.name.value = tidy(this.name.value, PERSON_NAME_MAX);
    this.failure.value = null;
    this.removal.value = null;
    const room = new Room({
      roomId: this.roomId.value,
      token: hostToken(this.roomId.value) || this.token.value,
      displayName: this.name.value,
      codec: this.options.codec,
      tracks: this.capture,
      openLine: (events) => new Socket(socketUrl(new URL(location.href)), events),
      openMedia,
    });
    this.room.value = room;
    this.screen.value = 'call';
    room.join();
    this.follow(room);
    await this.capture.start();
  }

  /** Switches a device on or off; who only watches is told why that does nothing. */
  toggle(device: Device): void {
    if (this.watching()) this.room.value?.say(WATCHING);
    else void this.capture.toggle(device);
  }

  leave(): void {
    this.quit();
    this.capture.stop();
    this.screen.value = 'left';
  }

  private watching(): boolean {
    return this.room.value?.role.value === 'viewer';
  }

  /** Does on the page what happens in the room. */
  private follow(room: Room): void {
    let watching = false;
    this.unfollow = effect(() => {
      const status = room.status.value;
      const watches = room.role.value === 'viewer';
      untracked(() => {
        if (status === 'failed') return this.cameToNothing(room);
        if (status === 'removed') return this.sentAway(room);
        if (watches === watching) return;
        watching = watches;
        // Nobody sees a viewer: the lights of camera and microphone shall say so.
        if (watches) this.capture.stop();
        else void this.capture.start();
      });
    });
  }

  private cameToNothing(room: Room): void {
    this.failure.value = room.failure.value;
    rememberCall(null);
    this.toLobby();
    queueMicrotask(() => this.unfollow());
  }

  private sentAway(room: Room): void {
    this.removal.value = room.removal.value;
    rememberCall(null);
    this.capture.stop();
    this.screen.value = 'left';
    queueMicrotask(() => this.unfollow());
  }

  /** Out of the room, without a word to the person. */
  private quit(): void {
    this.unfollow();
    this.room.value?.leave();
    this.room.value = null;
    rememberCall(null);
  }

  private toLobby(): void {
    this.screen.value = 'lobby';
    void this.capture.start();
  }

  /** The person went back or forward, or the page did. */
  private addressChanged(): void {
    this.quit();
    this.failure.value = null;
    const { roomId, token } = readAddress(new URL(location.href));
    this.roomId.value = roomId;
    this.token.value = token;
    if (roomId) return this.toLobby();
    this.capture.stop();
    this.screen.value = 'landing';
  }

  /** Keeps in storage what a later visit or a reload needs. */
  private remember(): void {
    const { capture } = this;
    effect(() => {
      rememberPerson({
        name: this.name.value,
        cameraId: capture.cameraId.value,
        microphoneId: capture.microphoneId.value,
      });
    });
    effect(() => {
      if (this.screen.value !== 'call') return;
      rememberCall({
        roomId: this.roomId.value,
        name: this.name.value,
        camera: capture.cameraOn.value,
        microphone: capture.microphoneOn.value,
      });
    });
  }
}
