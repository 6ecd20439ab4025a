/**
 * The person's shared screens, windows and tabs: choosing one in the browser's dialog, stopping it, and whether it
 * shows text or motion. The only file that touches getDisplayMedia. Sends nothing.
 */
import { signal } from '@preact/signals-core';

/** What a screen is sent for: text must be sharp, motion must be smooth. */
export type ScreenMode = 'text' | 'motion';

/** Why a screen could not be shared; the page has a message for each. That the person has cancelled is none. */
export type ScreenError = 'denied' | 'failed';

/** A screen that is shared. */
export interface LocalScreen {
  readonly id: string;
  readonly video: MediaStreamTrack;
  /** Its sound; null where the person or the browser does not share it. */
  readonly audio: MediaStreamTrack | null;
  readonly mode: ScreenMode;
}

/** Screens shared at a time: each costs this device an encoder, and the others a place. */
export const SCREENS_MAX = 3;

/** Pictures per second. Text needs few, and a browser that encodes fewer makes them sharper. */
const FRAME_RATE: Record<ScreenMode, number> = { text: 15, motion: 30 };

/** Members that the type definitions lack. */
interface ScreenOptions extends DisplayMediaStreamOptions {
  selfBrowserSurface: 'exclude';
  surfaceSwitching: 'include';
  systemAudio: 'include';
}

const OPTIONS: ScreenOptions = {
  // In all its pixels: without a size, the browser does not scale.
  video: { frameRate: { ideal: FRAME_RATE.motion } },
  // Music and films: what makes voices clear spoils them.
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  selfBrowserSurface: 'exclude',
  surfaceSwitching: 'include',
  systemAudio: 'include',
};

export class ScreenCapture {
  /** The shared screens, oldest first. */
  readonly screens = signal<readonly LocalScreen[]>([]);

  /** Whether this browser can share screens; those of phones cannot. */
  get isSupported(): boolean {
    return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
  }

  /** Lets the person choose a screen and shares it. Returns why that failed; null also when the person cancelled. */
  async start(): Promise<ScreenError | null> {
    if (this.screens.value.length >= SCREENS_MAX) return null;
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia(OPTIONS);
      this.adopt(stream);
      return null;
    } catch (error) {
      return screenErrorOf(error);
    }
  }

  /** Stops sharing a screen. Does nothing when it is not shared any more. */
  stop(id: string): void {
    for (const screen of this.screens.value) {
      if (screen.id === id) release(screen);
    }
    this.screens.value = this.screens.value.filter((screen) => screen.id !== id);
  }

  stopAll(): void {
    for (const { id } of this.screens.value) this.stop(id);
  }

  setMode(id: string, mode: ScreenMode): void {
    this.screens.value = this.screens.value.map((screen) => {
      if (screen.id !== id || screen.mode === mode) return screen;
      applyMode(screen.video, mode);
      return { ...screen, mode };
    });
  }

  private adopt(stream: MediaStream): void {
    const [video] = stream.getVideoTracks();
    if (!video) return;
    const screen: LocalScreen = { id: video.id, video, audio: stream.getAudioTracks()[0] ?? null, mode: 'text' };
    applyMode(video, screen.mode);
    // The browser has a button of its own, and a window can be closed.
    video.addEventListener('ended', () => this.stop(screen.id));
    this.screens.value = [...this.screens.value, screen];
  }
}

function applyMode(video: MediaStreamTrack, mode: ScreenMode): void {
  video.contentHint = mode;
  // A browser that cannot limit the rate sends more pictures than needed, which does no harm.
  video.applyConstraints({ frameRate: { max: FRAME_RATE[mode] } }).catch(() => undefined);
}

function release({ video, audio }: LocalScreen): void {
  video.stop();
  audio?.stop();
}

/** Tells a person who has cancelled from a system that forbids it: only browsers' messages differ. */
function screenErrorOf(error: unknown): ScreenError | null {
  if (!(error instanceof DOMException)) return 'failed';
  if (error.name === 'NotAllowedError') return /system/i.test(error.message) ? 'denied' : null;
  return error.name === 'AbortError' || error.name === 'InvalidStateError' ? null : 'failed';
}
