/** Other tabs of this browser in the same meeting: tells whether there is one, and lets the newest take over. */
import { signal } from '@preact/signals-core';

interface TabMessage {
  kind: 'ask' | 'here' | 'gone' | 'take';
  roomId: string;
}

export class OtherTabs {
  /** Whether another tab is in the meeting of which was asked. */
  readonly isPresent = signal(false);
  private readonly channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('watersmeet');
  private roomId = '';
  private isInCall = false;

  constructor(
    /** Another tab takes our place in the call. */
    private readonly onTaken: () => void,
  ) {
    if (this.channel) this.channel.onmessage = ({ data }) => this.handle(data as TabMessage);
  }

  /** Asks whether another tab is in a meeting. */
  ask(roomId: string): void {
    this.roomId = roomId;
    this.isPresent.value = false;
    this.post('ask');
  }

  /** Enters a call. Another tab that was found leaves it. */
  enter(roomId: string): void {
    this.roomId = roomId;
    this.isInCall = true;
    if (this.isPresent.value) this.post('take');
    this.isPresent.value = false;
  }

  leave(): void {
    if (this.isInCall) this.post('gone');
    this.isInCall = false;
  }

  private handle({ kind, roomId }: TabMessage): void {
    if (roomId !== this.roomId) return;
    if (kind === 'here') this.isPresent.value = !this.isInCall;
    if (kind === 'gone') this.isPresent.value = false;
    if (!this.isInCall) return;
    if (kind === 'ask') this.post('here');
    if (kind !== 'take') return;
    this.isInCall = false;
    this.onTaken();
  }

  private post(kind: TabMessage['kind']): void {
    this.channel?.postMessage({ kind, roomId: this.roomId } satisfies TabMessage);
  }
}
