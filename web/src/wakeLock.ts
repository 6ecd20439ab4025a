/**
 * Keeps the screen on during a call. Browsers release the lock when the tab is hidden; it is requested again when the
 * tab is visible. Where there is no such lock, or the device saves its battery, nothing happens.
 */

/** What the browser has for it; replaced in tests. */
export interface WakeLockEnvironment {
  wakeLock: Pick<WakeLock, 'request'> | undefined;
  document: Pick<Document, 'visibilityState' | 'addEventListener' | 'removeEventListener'>;
}

export class ScreenWakeLock {
  private active = false;
  private sentinel: WakeLockSentinel | null = null;
  private requesting = false;
  private readonly onVisibilityChange = () => void this.acquire();

  constructor(private readonly environment: WakeLockEnvironment = { wakeLock: navigator.wakeLock, document }) {}

  /** Starts or ends to keep the screen on. */
  setActive(active: boolean): void {
    if (active === this.active) return;
    this.active = active;
    const { document } = this.environment;
    if (active) document.addEventListener('visibilitychange', this.onVisibilityChange);
    else document.removeEventListener('visibilitychange', this.onVisibilityChange);
    if (active) void this.acquire();
    else this.release();
  }

  private async acquire(): Promise<void> {
    const { wakeLock, document } = this.environment;
    const isHeld = this.sentinel !== null && !this.sentinel.released;
    if (!wakeLock || isHeld || this.requesting || document.visibilityState !== 'visible') return;
    this.requesting = true;
    this.sentinel = await wakeLock.request('screen').catch(() => null);
    this.requesting = false;
    // The call may have ended meanwhile.
    if (!this.active) this.release();
  }

  private release(): void {
    this.sentinel?.release().catch(() => undefined);
    this.sentinel = null;
  }
}
