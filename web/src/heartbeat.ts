/**
 * Finds out within three seconds that a connection is open while nobody answers, and that this page did not
 * run for a while. Sends a request every second, whose reply counts like every other frame. Closes nothing.
 */

/** Callbacks of a heartbeat. */
export interface HeartbeatEvents {
  /** Sends a request that the server answers at once. */
  sendPing(): void;
  /** Nothing arrives any more, or something does again. */
  onSilence(silent: boolean): void;
  /** The page did not run: the device was asleep, or the browser had stopped the tab. */
  onWake(): void;
}

const TICK_MS = 500;
const TICKS_PER_PING = 2;
/** Two pings, and the time for the reply to the second. With the tick this is told within 2.5 s. */
export const SILENCE_MS_MAX = 2_000;
/** Hidden tabs run their timers once a second, some browsers less often; a longer pause is a sleep. */
export const ASLEEP_MS_MIN = 15_000;

export class Heartbeat {
  private timer: ReturnType<typeof setInterval> | undefined;
  private lastFrameMs = 0;
  private lastTickMs = 0;
  private ticks = 0;
  private silent = false;

  constructor(private readonly events: HeartbeatEvents) {}

  get isSilent(): boolean {
    return this.silent;
  }

  /** Starts with a new connection. */
  start(): void {
    this.stop();
    this.lastFrameMs = Date.now();
    this.lastTickMs = this.lastFrameMs;
    this.events.sendPing();
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Stops, and counts nothing as silence. */
  stop(): void {
    clearInterval(this.timer);
    this.ticks = 0;
    this.setSilent(false);
  }

  recordFrame(): void {
    this.lastFrameMs = Date.now();
    this.setSilent(false);
  }

  private tick(): void {
    const now = Date.now();
    const pausedMs = now - this.lastTickMs;
    this.lastTickMs = now;
    this.ticks += 1;
    if (pausedMs > SILENCE_MS_MAX) {
      // Frames that arrived meanwhile are handled after this timer.
      this.lastFrameMs = now;
      this.events.sendPing();
      if (pausedMs >= ASLEEP_MS_MIN) this.events.onWake();
      return;
    }
    if (this.ticks % TICKS_PER_PING === 0) this.events.sendPing();
    if (now - this.lastFrameMs >= SILENCE_MS_MAX) this.setSilent(true);
  }

  private setSilent(silent: boolean): void {
    if (this.silent === silent) return;
    this.silent = silent;
    this.events.onSilence(silent);
  }
}
