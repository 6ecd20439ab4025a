/**
 * Background of the camera: the choice, and the track of the camera with it. The code and the model are loaded
 * when another background is chosen. Until the first picture with it is ready, a camera that has just started is
 * neither shown nor sent, so that nobody sees what the person hides.
 */
import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import type { Backdrop, Background } from './background/messages';
import type { ProcessedCamera, ProcessingEvents } from './background/processedCamera';
import { loadBackground, loadBackgroundPicture, saveBackground, saveBackgroundPicture } from './browserStorage';

/** Why the background is off again. */
export type BackgroundProblem = 'slow' | 'failed';

export type StartProcessing = (camera: MediaStreamTrack, backdrop: Backdrop, events: ProcessingEvents) => ProcessedTrack;

type ProcessedTrack = Pick<ProcessedCamera, 'camera' | 'track' | 'setBackdrop' | 'stop'>;

export class CameraBackground {
  readonly chosen = signal<Background>(loadBackground());
  /** The track to show and to send: the camera itself, or the one with another background. Null while there is none. */
  readonly track = signal<MediaStreamTrack | null>(null);
  /** Whether another background is on its way. */
  readonly loading = signal(false);
  readonly problem = signal<BackgroundProblem | null>(null);
  /** Whether a picture of the person's own can be chosen. */
  readonly hasPicture = computed(() => this.picture.value !== '');

  private readonly picture = signal(loadBackgroundPicture());
  private processed: ProcessedTrack | null = null;
  /** Number of the latest change; what earlier ones load is not used. */
  private change = 0;

  constructor(
    private readonly camera: ReadonlySignal<MediaStreamTrack | null>,
    private readonly load: () => Promise<StartProcessing> = loadProcessing,
  ) {
    effect(() => {
      void [camera.value, this.chosen.value];
      untracked(() => void this.update());
    });
  }

  /** Whether this browser can change the background. */
  static get isSupported(): boolean {
    return ['OffscreenCanvas', 'WebAssembly', 'createImageBitmap'].every((name) => name in globalThis) && 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
  }

  choose(background: Background): void {
    this.problem.value = null;
    saveBackground(background);
    this.chosen.value = background;
  }

  /** Chooses a picture of the person's own. Returns whether the file is a picture. */
  async choosePicture(file: Blob): Promise<boolean> {
    try {
      const { readPicture } = await import('./background/ownPicture');
      this.picture.value = await readPicture(file);
    } catch {
      return false;
    }
    saveBackgroundPicture(this.picture.value);
    const isShown = this.chosen.value === 'picture';
    this.choose('picture');
    if (isShown) await this.update();
    return true;
  }

  private async update(): Promise<void> {
    const change = (this.change += 1);
    const [camera, background] = [this.camera.value, this.chosen.value];
    if (this.processed && this.processed.camera !== camera) this.stop();
    if (!camera || background === 'none' || !CameraBackground.isSupported) {
      this.stop();
      this.loading.value = false;
      this.track.value = camera;
      return;
    }
    if (this.track.value !== camera && !this.processed) this.track.value = null;
    this.loading.value = !this.processed;
    try {
      const backdrop = await this.backdropOf(background);
      const start = await this.load();
      if (change !== this.change) return;
      if (this.processed) this.processed.setBackdrop(backdrop);
      else this.start(start, camera, backdrop);
    } catch {
      if (change === this.change) this.giveUp('failed');
    }
  }

  private start(start: StartProcessing, camera: MediaStreamTrack, backdrop: Backdrop): void {
    const processed = start(camera, backdrop, {
      onReady: () => {
        if (processed !== this.processed) return;
        this.loading.value = false;
        this.track.value = processed.track;
      },
      onFailure: (problem) => {
        if (processed === this.processed) this.giveUp(problem);
      },
    });
    this.processed = processed;
  }

  private async backdropOf(background: Exclude<Background, 'none'>): Promise<Backdrop> {
    if (background !== 'picture') return background;
    const { decodePicture } = await import('./background/ownPicture');
    return decodePicture(this.picture.value);
  }

  private giveUp(problem: BackgroundProblem): void {
    this.choose('none');
    this.problem.value = problem;
  }

  private stop(): void {
    this.processed?.stop();
    this.processed = null;
  }
}

async function loadProcessing(): Promise<StartProcessing> {
  const { ProcessedCamera } = await import('./background/processedCamera');
  return (camera, backdrop, events) => new ProcessedCamera(camera, backdrop, events);
}
