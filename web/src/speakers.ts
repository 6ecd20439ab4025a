/** Who is speaking, as the server detects it, and who is marked: somebody who pauses for breath stays marked. */
import { signal } from '@preact/signals-core';

/** How long a speaker stays marked after the server has named another one, or nobody. */
export const HOLD_MS = 1_000;

export class Speakers {
  /** Id of the participant who is speaking, perhaps our own; null in silence. */
  readonly active = signal<string | null>(null);
  /** Ids of those who are speaking or spoke a moment ago. */
  readonly marked = signal<ReadonlySet<string>>(new Set());
  /** Who was speaking when the server last said so. */
  private latest: string | undefined;
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** Records who is speaking now; undefined for nobody. */
  update(id: string | undefined): void {
    this.latest = id;
    const before = this.active.value;
    const next = id ?? null;
    if (before === next) return;
    this.active.value = next;
    if (before !== null) this.timers.set(before, setTimeout(() => this.unmark(before), HOLD_MS));
    if (next === null) return;
    clearTimeout(this.timers.get(next));
    this.timers.delete(next);
    this.marked.value = new Set([...this.marked.value, next]);
  }

  /** Marks again who was marked before `clear`: the server tells only changes. */
  restore(): void {
    this.update(this.latest);
  }

  /** Marks nobody any more. */
  clear(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.active.value = null;
    this.marked.value = new Set();
  }

  private unmark(id: string): void {
    this.timers.delete(id);
    this.marked.value = new Set([...this.marked.value].filter((other) => other !== id));
  }
}
