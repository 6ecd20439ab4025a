/** Captions of the call: shows those that arrive, and sends those of our own voice. */
import { signal } from '@preact/signals-core';
import { LINE_SHOWN_MS, withCaption, withoutOld, type CaptionLine } from './captionLines';
import { named, type Named } from './notifications';
import type { Notices } from './protocol';
import { Refusal, reportRefusal, type RoomSignalling } from './signalling';

export class Captions {
  readonly lines = signal<readonly CaptionLine[]>([]);

  constructor(private readonly signalling: RoomSignalling) {}

  handleCaption({ text, final, ...speaker }: Notices['caption']): void {
    this.show(named(speaker), text, final);
  }

  /** Shows what we say, and sends it to the others. Returns whether the server takes captions from us. */
  async send(own: Named, text: string, isFinal: boolean): Promise<boolean> {
    this.show(own, text, isFinal);
    try {
      await this.signalling.request('caption', { text, final: isFinal });
    } catch (error) {
      // A caption that is lost to a limit or to the connection is followed by the next.
      if (!(error instanceof Refusal) || error.code !== 'forbidden') return true;
      reportRefusal(this.signalling, error);
      return false;
    }
    return true;
  }

  private show(speaker: Named, text: string, isFinal: boolean): void {
    this.lines.value = withCaption(this.lines.value, { speaker, text, isFinal }, Date.now());
    setTimeout(() => (this.lines.value = withoutOld(this.lines.value, Date.now())), LINE_SHOWN_MS);
  }
}
