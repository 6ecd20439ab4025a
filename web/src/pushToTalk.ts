/** Push-to-talk: the microphone is on for as long as a key is held, if it was muted before. */

/** The microphone, as push-to-talk needs it. */
export interface Talkable {
  /** Whether it is on and may be sent. */
  isLive(): boolean;
  toggle(): void;
}

export class PushToTalk {
  private isTalking = false;

  constructor(private readonly microphone: Talkable) {}

  press(): void {
    if (this.microphone.isLive()) return;
    this.microphone.toggle();
    // Viewers may not speak: their microphone stays off.
    this.isTalking = this.microphone.isLive();
  }

  /** Mutes again what `press` has unmuted, unless somebody else has muted it meanwhile. */
  release(): void {
    if (this.isTalking && this.microphone.isLive()) this.microphone.toggle();
    this.isTalking = false;
  }
}
