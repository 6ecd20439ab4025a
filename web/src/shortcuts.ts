/** Keyboard shortcuts of a call: the table from which both the key handler and the shortcut sheet are made. Touches no DOM. */

/** All shortcuts, in the order of the sheet. Space is the only key that acts for as long as it is held. */
export const SHORTCUTS = [
  { action: 'microphone', key: 'm' },
  { action: 'talk', key: ' ' },
  { action: 'camera', key: 'v' },
  { action: 'hand', key: 'h' },
  { action: 'chat', key: 'c' },
  { action: 'participants', key: 'p' },
  { action: 'statistics', key: 's' },
  { action: 'fullScreen', key: 'f' },
  { action: 'sheet', key: '?' },
] as const;

export type ShortcutAction = (typeof SHORTCUTS)[number]['action'];

export interface ShortcutHandler {
  press(): void;
  /** Called when the key is released, or the page loses the keyboard. */
  release?(): void;
}

/** Handlers by action. An action without a handler is no shortcut, and is not in the sheet. */
export type ShortcutHandlers = Partial<Record<ShortcutAction, ShortcutHandler>>;

/** The parts of a keyboard event that decide. */
export interface KeyPress {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Returns the action of a key; null for keys without one. */
export function actionOf(press: KeyPress): ShortcutAction | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  const key = latinKeyOf(press);
  return SHORTCUTS.find((shortcut) => shortcut.key === key)?.action ?? null;
}

/** Returns the key of an action. */
export function keyOf(action: ShortcutAction): string {
  return SHORTCUTS.find((shortcut) => shortcut.action === action)?.key ?? '';
}

/** Returns the label of a button with its key, as `Chat (C)`. */
export function withKey(label: string, action: ShortcutAction): string {
  return `${label} (${keyOf(action).toUpperCase()})`;
}

/** Returns the character of a key. On layouts without Latin letters it is the one at the key's place on a Latin layout. */
function latinKeyOf({ key, code }: KeyPress): string {
  const isLatin = key.length !== 1 || /[\x20-\x7e]/.test(key);
  return (isLatin ? key : (/^Key([A-Z])$/.exec(code)?.[1] ?? key)).toLowerCase();
}
