/**
 * Media keys and the browser's own buttons for calls (Media Session): microphone, camera and leaving. Browsers show them
 * in small windows, on headsets and beside the tab. Where a browser lacks an action, that one is left out.
 */

/** Actions of calls in the Media Session specification, of which the types of the DOM do not know. */
type CallAction = 'togglemicrophone' | 'togglecamera' | 'hangup';

export interface MediaSessionActions {
  toggleMicrophone(): void;
  toggleCamera(): void;
  leave(): void;
}

export class CallMediaSession {
  private active = false;
  private microphone = false;
  private camera = false;

  constructor(
    private readonly actions: MediaSessionActions,
    private readonly session: MediaSession | null = navigator.mediaSession ?? null,
  ) {}

  /** Offers the actions, or takes them back. */
  setActive(active: boolean): void {
    if (active === this.active) return;
    this.active = active;
    const { toggleMicrophone, toggleCamera, leave } = this.actions;
    this.setHandler('togglemicrophone', active ? () => toggleMicrophone() : null);
    this.setHandler('togglecamera', active ? () => toggleCamera() : null);
    this.setHandler('hangup', active ? () => leave() : null);
    if (active) this.show();
  }

  /** Tells the browser which devices are on. */
  setDevices(microphone: boolean, camera: boolean): void {
    this.microphone = microphone;
    this.camera = camera;
    if (this.active) this.show();
  }

  private show(): void {
    const { session } = this;
    // Some browsers return nothing; those that return a promise reject it in hidden pages.
    Promise.resolve(session?.setMicrophoneActive?.(this.microphone)).catch(() => undefined);
    Promise.resolve(session?.setCameraActive?.(this.camera)).catch(() => undefined);
  }

  private setHandler(action: CallAction, handler: (() => void) | null): void {
    try {
      this.session?.setActionHandler(action as MediaSessionAction, handler);
    } catch {
      // The browser does not know this action.
    }
  }
}
