/**
 * Asks once before a call ends because the page is closed or the browser goes back. The browser asks before the page
 * is closed; the page asks before it goes back within its own history.
 */
import { signal } from '@preact/signals-core';

export class LeaveGuard {
  /** Whether the page asks whether to leave. */
  readonly asking = signal(false);
  private active = false;
  private confirmed = false;
  /** URL of the call, shown again while the page asks. */
  private url = '';
  private readonly onBeforeUnload = (event: BeforeUnloadEvent) => event.preventDefault();

  /** Starts or ends to ask. */
  setActive(active: boolean): void {
    if (this.active === active) return;
    this.active = active;
    this.confirmed = false;
    this.asking.value = false;
    if (active) {
      this.url = location.href;
      addEventListener('beforeunload', this.onBeforeUnload);
    } else {
      removeEventListener('beforeunload', this.onBeforeUnload);
    }
  }

  /** Handles that the browser went back. Returns whether the call goes on until the person has answered. */
  holdBack(): boolean {
    if (!this.active || this.confirmed) return false;
    history.pushState(null, '', this.url);
    this.asking.value = true;
    return true;
  }

  /** The person leaves: goes back where the browser went. */
  confirm(): void {
    this.confirmed = true;
    this.asking.value = false;
    history.back();
  }

  cancel(): void {
    this.asking.value = false;
  }
}
