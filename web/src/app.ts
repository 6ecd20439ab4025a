/**
 * The visit: which screen is shown, who the person is, which room they are in.
 * Puts capture, socket, media and room together; the screens call its methods
 * and read its signals.
 */
import { effect, signal } from '@preact/signals';
import { PERSON_NAME_MAX, readAddress, socketUrl, tidy, withRoom, type PageOptions } from './address';
import { Capture } from './capture';
import { openMedia } from './media';
import { ongoingCall, person, rememberCall, rememberPerson } from './memory';
import { Room, type Failure } from './room';
import { Socket } from './socket';

export type Screen = 'landing' | 'lobby' | 'call' | 'left';

export class App {
  readonly screen = signal<Screen>('landing');
  readonly name = signal('');
  readonly roomId = signal('');
  readonly room = signal<Room | null>(null);
  /** Why the last join came to nothing. */
  readonly failure = signal<Failure | null>(null);
  /** Whether the browser refuses to play sound until the person touches the page. */
  readonly soundBlocked = signal(false);
  readonly capture: Capture;

  private readonly options: PageOptions;

  constructor() {
    this.options = readAddress(new URL(location.href));
    const remembered = person();
    const ongoing = ongoingCall();
    const { roomId } = this.options;
    const back = ongoing?.roomId === roomId ? ongoing : null;
    this.roomId.value = roomId;
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

  /** To the preview of this room. */
  choose(roomId: string): void {
    history.pushState(null, '', withRoom(new URL(location.href), roomId));
    this.roomId.value = roomId;
    this.toLobby();
  }

  toLanding(): void {
    history.pushState(null, '', withRoom(new URL(location.href), ''));
    this.addressChanged();
  }

  /** Opens what is switched on and goes in. A device that fails does not keep the person out. */
  async join(): Promise<void> {
    this.name.value = tidy(this.name.value, PERSON_NAME_MAX);
    this.failure.value = null;
    const room = new Room({
      roomId: this.roomId.value,
      displayName: this.name.value,
      codec: this.options.codec,
      tracks: this.capture,
      openLine: (events) => new Socket(socketUrl(new URL(location.href)), events),
      openMedia,
    });
    this.room.value = room;
    this.screen.value = 'call';
    room.join();
    const stop = effect(() => {
      if (room.status.value !== 'failed') return;
      this.failure.value = room.failure.value;
      rememberCall(null);
      this.toLobby();
      queueMicrotask(() => stop());
    });
    await this.capture.start();
  }

  leave(): void {
    this.room.value?.leave();
    this.room.value = null;
    this.capture.stop();
    rememberCall(null);
    this.screen.value = 'left';
  }

  private toLobby(): void {
    this.screen.value = 'lobby';
    void this.capture.start();
  }

  /** The person went back or forward, or the page did. */
  private addressChanged(): void {
    this.room.value?.leave();
    this.room.value = null;
    this.failure.value = null;
    rememberCall(null);
    this.roomId.value = readAddress(new URL(location.href)).roomId;
    if (this.roomId.value) return this.toLobby();
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
