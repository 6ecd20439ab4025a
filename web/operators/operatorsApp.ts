/**
 * State of the operators' page: the key, the view by the address's hash, and what the server last said. Asks every two
 * seconds while the page is visible.
 *
 * The key is kept in `sessionStorage`: of this port alone and until the tab closes. A cookie would be sent to every port
 * of the host, and on behalf of other pages.
 */
import { signal } from '@preact/signals';
import type { HistoryCallDetails, HistoryPage } from './historyApi';
import { ApiError, OperatorsApi, type LogState, type RoomDetails, type RoomState, type ServerStatus } from './operatorsApi';

export type View =
  | { name: 'overview' }
  | { name: 'rooms' }
  | { name: 'room'; room: string }
  | { name: 'history' }
  | { name: 'call'; call: string }
  | { name: 'log' };

const POLL_MS = 2_000;
const KEY = 'watersmeet.operatorsKey';
/** Pages of rooms that are shown; each has a hundred. */
const ROOM_PAGES_MAX = 10;
const UNAUTHORISED = 401;
const FORBIDDEN = 403;
const NOT_FOUND = 404;

/** Returns the view of a hash, the overview for an unknown one. */
export function viewOf(hash: string): View {
  const [name = '', item] = hash.replace(/^#/, '').split('/');
  if (name === 'rooms' && item) return { name: 'room', room: decodeText(item) };
  if (name === 'history' && item) return { name: 'call', call: decodeText(item) };
  return name === 'rooms' || name === 'history' || name === 'log' ? { name } : { name: 'overview' };
}

export function hashOfCall(call: string): string {
  return `#history/${encodeURIComponent(call)}`;
}

export function hashOfRoom(room: string): string {
  return `#rooms/${encodeURIComponent(room)}`;
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export class OperatorsApp {
  readonly isSignedIn = signal(false);
  /** Why signing in failed, or an action was not carried out. */
  readonly problem = signal('');
  readonly view = signal<View>(viewOf(location.hash));
  readonly status = signal<ServerStatus | null>(null);
  /** The state before, from which rates are computed. */
  readonly earlierStatus = signal<ServerStatus | null>(null);
  readonly rooms = signal<RoomState[] | null>(null);
  readonly hasMoreRooms = signal(false);
  /** The room of the view; null before it is known, `gone` once it has ended. */
  readonly room = signal<RoomDetails | 'gone' | null>(null);
  /** The latest calls; `off` where the server keeps no history. */
  readonly history = signal<HistoryPage | 'off' | null>(null);
  /** The call of the view; `gone` where the history does not have it. */
  readonly call = signal<HistoryCallDetails | 'gone' | null>(null);
  readonly log = signal<LogState | null>(null);
  /** Whether the server did not answer the last time. */
  readonly isUnreachable = signal(false);
  private api: OperatorsApi | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Number of the latest poll, so that answers to earlier ones are ignored. */
  private poll = 0;

  /** Signs in with the key of this tab, and follows the address. */
  start(): void {
    addEventListener('hashchange', () => {
      this.view.value = viewOf(location.hash);
      this.room.value = null;
      this.call.value = null;
      this.problem.value = '';
      void this.refresh();
    });
    document.addEventListener('visibilitychange', () => void this.refresh());
    const key = sessionStorage.getItem(KEY);
    if (key) void this.signIn(key);
  }

  async signIn(key: string): Promise<void> {
    const api = new OperatorsApi(key);
    try {
      this.status.value = await api.status();
    } catch (error) {
      this.signOut(messageOf(error));
      return;
    }
    sessionStorage.setItem(KEY, key);
    this.api = api;
    this.problem.value = '';
    this.isSignedIn.value = true;
    await this.refresh();
  }

  signOut(problem = ''): void {
    clearTimeout(this.timer);
    this.poll += 1;
    this.api = null;
    sessionStorage.removeItem(KEY);
    for (const state of [this.status, this.earlierStatus, this.rooms, this.room, this.history, this.call, this.log]) state.value = null;
    this.isSignedIn.value = false;
    this.problem.value = problem;
  }

  /** Carries out an action, and shows its outcome or why it failed. */
  async act(action: (api: OperatorsApi) => Promise<void>): Promise<void> {
    if (!this.api) return;
    try {
      await action(this.api);
      this.problem.value = '';
    } catch (error) {
      this.problem.value = messageOf(error);
    }
    await this.refresh();
  }

  /** Asks for what the view shows, at once and then every two seconds. */
  private async refresh(): Promise<void> {
    clearTimeout(this.timer);
    const { api } = this;
    if (!api || document.hidden) return;
    this.poll += 1;
    const { poll } = this;
    try {
      const [status, apply] = await Promise.all([api.status(), this.read(api)]);
      if (poll !== this.poll) return;
      if (status.at !== this.status.value?.at) this.earlierStatus.value = this.status.value;
      this.status.value = status;
      apply();
      this.isUnreachable.value = false;
    } catch (error) {
      if (poll !== this.poll) return;
      if (error instanceof ApiError && [UNAUTHORISED, FORBIDDEN].includes(error.status)) {
        this.signOut(messageOf(error));
        return;
      }
      this.isUnreachable.value = true;
    }
    this.timer = setTimeout(() => void this.refresh(), POLL_MS);
  }

  /** Reads what the view shows, and returns what shows it. */
  private async read(api: OperatorsApi): Promise<() => void> {
    const view = this.view.value;
    if (view.name === 'rooms') {
      const { rooms, hasMore } = await allRooms(api);
      return () => {
        this.rooms.value = rooms;
        this.hasMoreRooms.value = hasMore;
      };
    }
    if (view.name === 'room') {
      const room = await orIfMissing(api.room(view.room), 'gone' as const);
      return () => (this.room.value = room);
    }
    if (view.name === 'history') {
      const history = await orIfMissing(api.history(), 'off' as const);
      return () => (this.history.value = history);
    }
    if (view.name === 'call') {
      const call = await orIfMissing(api.call(view.call), 'gone' as const);
      return () => (this.call.value = call);
    }
    if (view.name === 'log') {
      const log = await api.log();
      return () => (this.log.value = log);
    }
    return () => undefined;
  }
}

/** Returns what was asked for, or another value where the server does not have it. */
async function orIfMissing<T, U>(answer: Promise<T>, missing: U): Promise<T | U> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === NOT_FOUND) return missing;
    throw error;
  }
}

async function allRooms(api: OperatorsApi): Promise<{ rooms: RoomState[]; hasMore: boolean }> {
  const rooms: RoomState[] = [];
  let after: string | null = null;
  for (let page = 0; page < ROOM_PAGES_MAX; page += 1) {
    const found = await api.rooms(after);
    rooms.push(...found.rooms);
    after = found.next;
    if (after === null) break;
  }
  return { rooms, hasMore: after !== null };
}

function messageOf(error: unknown): string {
  if (!(error instanceof ApiError)) return 'The server does not answer.';
  if (error.status === UNAUTHORISED) return 'This is not the key.';
  if (error.status === FORBIDDEN) return 'The server refuses this page or this key.';
  return error.status === 429 ? 'Too many attempts. Wait a minute and try again.' : `${error.message}.`;
}
