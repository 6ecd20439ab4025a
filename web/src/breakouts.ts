/**
 * Breakout rooms of the meeting, as notices tell them: which there are, where we are assigned, and the countdowns
 * before we go there and before everybody returns. `Room` moves the media.
 */
import { batch, computed, signal } from '@preact/signals-core';
import { named, type Named, type NotificationContent } from './notifications';
import type { BreakoutPlan, Breakouts as BreakoutState, Moderate, Notice, Notices, RoomJoined } from './protocol';
import { reportRefusal, type RoomSignalling } from './signalling';

/** Time before the page goes to the room to which it is assigned, unless the person stays. */
export const GO_AFTER_S = 5;
/** Countdown before the rooms close, so that people can finish their sentences. */
export const CLOSE_AFTER_S = 30;
const TICK_MS = 1_000;

/** Somebody in a breakout room. */
export interface BreakoutPerson extends Named {
  /** Null in the main room. */
  roomId: string | null;
}

/** Access of `Breakouts` to the room. */
export interface BreakoutsContext {
  signalling: RoomSignalling;
  /** Goes on in another room, where the server has put us. */
  moveTo(joined: RoomJoined): void;
  notify(content: NotificationContent): void;
}

export class Breakouts {
  /** The breakout rooms; null while there are none. */
  readonly state = signal<BreakoutState | null>(null);
  /** Everybody in the breakout rooms, as hosts are told. */
  readonly people = signal<readonly BreakoutPerson[]>([]);
  /** Seconds until we go to our breakout room; null while we do not. */
  readonly goingInS = signal<number | null>(null);
  /** Seconds until everybody returns; null while the rooms stay open. */
  readonly closingInS = signal<number | null>(null);
  /** Name of the breakout room that we are in; empty in the main room. */
  readonly currentName = computed(() => this.nameOf(this.state.value?.current));
  /** Name of the breakout room to which we are assigned; empty without one. */
  readonly assignedName = computed(() => this.nameOf(this.state.value?.assigned));
  /** Room to which we were invited last. */
  private invitedTo = '';
  private isMoving = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly context: BreakoutsContext) {}

  /** Goes to a breakout room; null returns to the main room. */
  async enter(roomId: string | null): Promise<void> {
    if (this.isMoving) return;
    this.isMoving = true;
    this.goingInS.value = null;
    try {
      this.context.moveTo(await this.context.signalling.request('enterBreakout', roomId === null ? {} : { roomId }));
    } catch (error) {
      reportRefusal(this.context.signalling, error);
    } finally {
      this.isMoving = false;
    }
  }

  /** Goes to the room to which we are assigned. */
  enterAssigned(): void {
    const { assigned } = this.state.value ?? {};
    if (assigned !== undefined) void this.enter(assigned);
  }

  /** Stays in the main room. The breakout room stays open for us. */
  stay(): void {
    this.goingInS.value = null;
  }

  open(rooms: BreakoutPlan[]): Promise<boolean> {
    return this.moderate({ action: 'openBreakouts', rooms });
  }

  assign(peerId: string, roomId: string): void {
    void this.moderate({ action: 'assignBreakout', peerId, roomId });
  }

  tell(text: string): Promise<boolean> {
    return this.moderate({ action: 'tellBreakouts', text });
  }

  /** Closes the rooms after a countdown; at once when it runs already. */
  close(): void {
    void this.moderate({ action: 'closeBreakouts', seconds: this.closingInS.value === null ? CLOSE_AFTER_S : 0 });
  }

  /** Forgets everything: another session begins, in the main room. */
  reset(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    batch(() => {
      this.state.value = null;
      this.people.value = [];
      this.goingInS.value = null;
      this.closingInS.value = null;
    });
  }

  handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'breakouts':
        return this.apply(notice.payload);
      case 'breakoutMoved':
        return this.applyMove(notice.payload);
      case 'moved':
        return this.context.moveTo(notice.payload);
      case 'breakoutsClosed':
        this.reset();
        this.invitedTo = '';
        return this.context.notify({ code: 'breakoutsClosed' });
      default:
        return;
    }
  }

  private apply(state: BreakoutState): void {
    batch(() => {
      this.state.value = state;
      if (state.people) this.people.value = state.people.map(personOf);
      this.closingInS.value = state.closesInS ?? null;
      const { assigned = '', current } = state;
      if (current !== undefined || state.closesInS !== undefined) this.goingInS.value = null;
      else if (assigned !== '' && assigned !== this.invitedTo) this.goingInS.value = GO_AFTER_S;
      this.invitedTo = assigned;
    });
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  private applyMove(moved: Notices['breakoutMoved']): void {
    const others = this.people.value.filter(({ id }) => id !== moved.peerId);
    const person = personOf(moved);
    this.people.value = person.roomId === null ? others : [...others, person];
  }

  private tick(): void {
    batch(() => {
      if (this.closingInS.value) this.closingInS.value -= 1;
      if (this.goingInS.value === null) return;
      this.goingInS.value -= 1;
      if (this.goingInS.value <= 0) this.enterAssigned();
    });
  }

  private nameOf(roomId: string | undefined): string {
    return this.state.value?.rooms.find((room) => room.roomId === roomId)?.name ?? '';
  }

  /** Returns whether the server has done it. */
  private async moderate(action: Moderate): Promise<boolean> {
    try {
      await this.context.signalling.request('moderate', action);
      return true;
    } catch (error) {
      reportRefusal(this.context.signalling, error);
      return false;
    }
  }
}

function personOf({ roomId, ...person }: Notices['breakoutMoved']): BreakoutPerson {
  return { ...named(person), roomId: roomId ?? null };
}
