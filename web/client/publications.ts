/** Published tracks, in the form in which the room sends them. */
import { signal, type Signal } from '@preact/signals-core';
import type { Device } from '../src/capture';
import type { LocalTracks } from '../src/producers';
import type { LocalScreen } from '../src/screenCapture';
import type { CallEvents, Publication, PublishOptions } from './api';
import type { Emitter } from './emitter';

/** A microphone or a camera. */
class DevicePublication implements Publication {
  constructor(
    readonly source: Device,
    readonly track: MediaStreamTrack,
    private readonly current: Signal<MediaStreamTrack | null>,
    private readonly on: Signal<boolean>,
    private readonly emitter: Emitter<CallEvents>,
  ) {}

  get muted(): boolean {
    return !this.isCurrent || !this.on.value;
  }

  setMuted(muted: boolean): void {
    if (!this.isCurrent || muted === this.muted) return;
    this.on.value = !muted;
    this.emitter.emit('publicationChanged', this);
  }

  stop(): void {
    if (!this.isCurrent) return;
    this.on.value = false;
    this.current.value = null;
    this.emitter.emit('publicationEnded', this);
  }

  private get isCurrent(): boolean {
    return this.current.value === this.track;
  }
}

class ScreenPublication implements Publication {
  readonly source = 'screen';
  readonly muted = false;

  constructor(
    readonly track: MediaStreamTrack,
    private readonly tracks: Publications,
  ) {}

  /** Does nothing: a screen is sent or not. */
  setMuted(): void {}

  stop(): void {
    this.tracks.stopScreen(this.track.id);
  }
}

export class Publications implements LocalTracks {
  readonly camera = signal<MediaStreamTrack | null>(null);
  readonly microphone = signal<MediaStreamTrack | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  readonly screens = signal<readonly LocalScreen[]>([]);
  private readonly devices = new Map<Device, DevicePublication>();
  /** By the id of their video track. */
  private readonly published = new Map<string, ScreenPublication>();

  constructor(private readonly emitter: Emitter<CallEvents>) {}

  add(track: MediaStreamTrack, options: PublishOptions): Publication {
    const { source = track.kind === 'video' ? 'camera' : 'microphone' } = options;
    const isVideo = track.kind === 'video';
    if (isVideo === (source === 'microphone')) throw new TypeError(`the source ${source} does not fit a track of kind ${track.kind}`);
    const publication = source === 'screen' ? this.addScreen(track, options) : this.addDevice(source, track);
    track.addEventListener('ended', () => publication.stop(), { once: true });
    return publication;
  }

  switchOff(device: Device): void {
    this.devices.get(device)?.setMuted(true);
  }

  stopScreen(id: string): void {
    const publication = this.published.get(id);
    if (!publication) return;
    this.published.delete(id);
    this.screens.value = this.screens.value.filter((screen) => screen.id !== id);
    this.emitter.emit('publicationEnded', publication);
  }

  private addDevice(source: Device, track: MediaStreamTrack): Publication {
    const [current, on] = source === 'camera' ? [this.camera, this.cameraOn] : [this.microphone, this.microphoneOn];
    const previous = this.devices.get(source);
    const wasCurrent = previous !== undefined && current.value === previous.track;
    const publication = new DevicePublication(source, track, current, on, this.emitter);
    this.devices.set(source, publication);
    current.value = track;
    on.value = true;
    if (wasCurrent) this.emitter.emit('publicationEnded', previous);
    return publication;
  }

  private addScreen(video: MediaStreamTrack, { audio, content = 'text' }: PublishOptions): Publication {
    const known = this.published.get(video.id);
    if (known) return known;
    const publication = new ScreenPublication(video, this);
    this.published.set(video.id, publication);
    // Tells the encoder whether sharpness or smoothness comes first.
    video.contentHint = content;
    this.screens.value = [...this.screens.value, { id: video.id, video, audio: audio ?? null, mode: content }];
    return publication;
  }
}
