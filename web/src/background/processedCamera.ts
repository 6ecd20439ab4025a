/**
 * Track of a camera with another background. A worker makes its pictures. Where browsers hand the frames of a track
 * to workers, the page does nothing for a frame, also while it is hidden; elsewhere it passes pictures one at a time.
 */
import workerUrl from './background.worker?worker&url';
import type { Backdrop, WorkerReply, WorkerRequest } from './messages';
import { SlownessWatch } from './slowness';

/** Interval of pictures where the page is hidden, in ms: browsers announce no frames then. */
const HIDDEN_INTERVAL_MS = 100;
/** Pictures after which a track is used that does not tell its size. Chromium's does after one or two. */
const SIZE_PICTURES_MAX = 10;

export interface ProcessingEvents {
  /** The first pictures are ready. */
  onReady(): void;
  onFailure(problem: 'slow' | 'failed'): void;
}

/** Parts of "MediaStreamTrack Insertable Media Processing using Streams" that Chromium has for pages. */
interface StreamConstructors {
  MediaStreamTrackProcessor: new (init: { track: MediaStreamTrack; maxBufferSize: number }) => { readable: ReadableStream<VideoFrame> };
  MediaStreamTrackGenerator: new (init: { kind: 'video' }) => MediaStreamTrack & { writable: WritableStream<VideoFrame> };
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** The policy permits this worker and nothing else. The name is in the Content Security Policy. */
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('background-worker', {
  createScriptURL: () => workerUrl,
});

export class ProcessedCamera {
  readonly track: MediaStreamTrack;
  private readonly worker = new Worker(policy?.createScriptURL(workerUrl) ?? workerUrl, { type: 'module' });
  private readonly pictures: PagePictures | null;
  private readonly slowness = new SlownessWatch();
  private isReady = false;
  private pictureCount = 0;

  constructor(
    readonly camera: MediaStreamTrack,
    backdrop: Backdrop,
    private readonly events: ProcessingEvents,
  ) {
    this.worker.addEventListener('message', ({ data }: MessageEvent<WorkerReply>) => this.handleReply(data));
    this.worker.addEventListener('error', () => this.events.onFailure('failed'));
    this.setBackdrop(backdrop);
    const { MediaStreamTrackProcessor, MediaStreamTrackGenerator } = globalThis as Partial<StreamConstructors>;
    if (MediaStreamTrackProcessor && MediaStreamTrackGenerator) {
      const frames = new MediaStreamTrackProcessor({ track: camera, maxBufferSize: 1 }).readable;
      const generator = new MediaStreamTrackGenerator({ kind: 'video' });
      const processed = generator.writable;
      this.send({ type: 'processStream', frames, processed }, [frames, processed]);
      this.track = generator;
      this.pictures = null;
    } else {
      this.pictures = new PagePictures(camera, (picture) => this.send({ type: 'processPicture', picture }, [picture]));
      this.track = this.pictures.track;
    }
  }

  setBackdrop(backdrop: Backdrop): void {
    this.send({ type: 'setBackdrop', backdrop }, typeof backdrop === 'string' ? [] : [backdrop]);
  }

  /** Ends the track and the worker; the camera goes on. */
  stop(): void {
    this.worker.terminate();
    this.pictures?.stop();
    this.track.stop();
  }

  private send(message: WorkerRequest, transferred: Transferable[]): void {
    this.worker.postMessage(message, transferred);
  }

  /** The track is ready when it tells its size, from which the number of simulcast layers follows. */
  private handleFirstPictures(): void {
    this.pictureCount += 1;
    if (!this.track.getSettings().width && this.pictureCount < SIZE_PICTURES_MAX) return;
    this.isReady = true;
    this.events.onReady();
  }

  private handleReply(reply: WorkerReply): void {
    if (reply.type === 'failed') return this.events.onFailure('failed');
    this.pictures?.show(reply.picture);
    if (!this.isReady) this.handleFirstPictures();
    if (this.slowness.record(reply.durationMs)) this.events.onFailure('slow');
  }
}

/** Pictures that the page takes of a camera, one at a time, and shows processed on a canvas that is a track. */
class PagePictures {
  readonly track: MediaStreamTrack;
  private readonly video = document.createElement('video');
  private readonly canvas = document.createElement('canvas');
  private readonly context = this.canvas.getContext('2d');
  private stopped = false;
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  private frameCallback = 0;

  constructor(
    camera: MediaStreamTrack,
    private readonly process: (picture: ImageBitmap) => void,
  ) {
    const { width = 640, height = 360 } = camera.getSettings();
    [this.canvas.width, this.canvas.height] = [width, height];
    const [track] = this.canvas.captureStream().getVideoTracks();
    if (!track) throw new Error('the browser records no canvas');
    this.track = track;
    this.video.muted = true;
    this.video.srcObject = new MediaStream([camera]);
    void this.video.play();
    this.awaitFrame();
  }

  /** Shows a processed picture, and takes the next. */
  show(picture: ImageBitmap | undefined): void {
    if (picture && !this.stopped) {
      const { canvas } = this;
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        [canvas.width, canvas.height] = [picture.width, picture.height];
      }
      this.context?.drawImage(picture, 0, 0);
      picture.close();
    }
    this.awaitFrame();
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
    this.video.srcObject = null;
  }

  private awaitFrame(): void {
    if (this.stopped) return;
    const take = () => {
      this.cancel();
      void this.take();
    };
    this.frameCallback = this.video.requestVideoFrameCallback(take);
    this.hiddenTimer = setTimeout(take, HIDDEN_INTERVAL_MS);
  }

  private async take(): Promise<void> {
    const picture = await createImageBitmap(this.video).catch(() => null);
    if (this.stopped) return picture?.close();
    if (picture) this.process(picture);
    else this.awaitFrame();
  }

  private cancel(): void {
    this.video.cancelVideoFrameCallback(this.frameCallback);
    clearTimeout(this.hiddenTimer);
  }
}
