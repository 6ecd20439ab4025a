/**
 * The small window of a call, which stays over other programs: a document of its own (Document Picture-in-Picture), or,
 * where browsers lack that, a video element of its own in picture-in-picture. Does not decide what is shown.
 */
import { signal } from '@preact/signals-core';
import type { Size } from './tileLayout';

/** Size of a new window; people can change it. */
const WINDOW_SIZE: Size = { width: 400, height: 320 };

/** Document Picture-in-Picture, of which the types of the DOM do not know. */
interface DocumentPictureInPicture {
  requestWindow(size: Size): Promise<Window>;
}

export class PictureInPicture {
  /** What this browser has; null where there is neither. */
  readonly kind: 'document' | 'video' | null;
  /** Size of the open window in CSS pixels; null while it is closed. */
  readonly size = signal<Size | null>(null);
  /** The open window of kind `document`. */
  readonly window = signal<Window | null>(null);

  private readonly requestWindow: DocumentPictureInPicture['requestWindow'] | null;
  private readonly video = document.createElement('video');

  constructor() {
    const { documentPictureInPicture } = window as { documentPictureInPicture?: DocumentPictureInPicture };
    this.requestWindow = documentPictureInPicture ? (size) => documentPictureInPicture.requestWindow(size) : null;
    this.kind = this.requestWindow ? 'document' : document.pictureInPictureEnabled ? 'video' : null;
    this.video.muted = true;
    this.video.addEventListener('leavepictureinpicture', () => this.handleClosed());
  }

  /** Opens the window, or closes it. A browser that refuses leaves everything as it is. */
  toggle(): void {
    if (this.size.value) this.close();
    else if (this.requestWindow) this.openWindow(this.requestWindow).catch(() => undefined);
    else this.openVideo().catch(() => undefined);
  }

  /** Sets what a window of kind `video` shows. Without a track the last picture stays. */
  setTrack(track: MediaStreamTrack | null): void {
    const current = this.video.srcObject;
    if (!track || (current instanceof MediaStream && current.getTracks().includes(track))) return;
    this.video.srcObject = new MediaStream([track]);
    this.video.play().catch(() => undefined);
  }

  close(): void {
    if (!this.size.value) return;
    this.window.value?.close();
    if (document.pictureInPictureElement === this.video) document.exitPictureInPicture().catch(() => undefined);
    this.handleClosed();
  }

  private async openWindow(requestWindow: DocumentPictureInPicture['requestWindow']): Promise<void> {
    const opened = await requestWindow(WINDOW_SIZE);
    copyStyles(opened.document);
    const measure = () => (this.size.value = { width: opened.innerWidth, height: opened.innerHeight });
    opened.addEventListener('resize', measure);
    opened.addEventListener('pagehide', () => this.handleClosed());
    this.window.value = opened;
    measure();
  }

  private async openVideo(): Promise<void> {
    const opened = await this.video.requestPictureInPicture();
    const measure = () => (this.size.value = { width: opened.width, height: opened.height });
    opened.addEventListener('resize', measure);
    measure();
  }

  private handleClosed(): void {
    this.window.value = null;
    this.size.value = null;
  }
}

/** Gives another document the styles of this one, by links: the Content Security Policy forbids inline styles. */
function copyStyles(target: Document): void {
  for (const { href } of document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')) {
    const link = target.createElement('link');
    [link.rel, link.href] = ['stylesheet', href];
    target.head.append(link);
  }
}
