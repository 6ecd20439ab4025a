/** Runs the shortcuts of a call on key presses, except while the person types or a dialog is open. */
import { useEffect, useRef } from 'preact/hooks';
import { actionOf, keyOf, type ShortcutAction, type ShortcutHandlers } from '../shortcuts';

/** Elements that take letters. */
const TYPED_INTO = 'input, select, textarea, dialog, [contenteditable]';
/** Elements that Space presses. */
const PRESSED_BY_SPACE = 'button, summary, [role=button]';

export function useShortcuts(handlers: ShortcutHandlers): void {
  const current = useRef(handlers);
  current.current = handlers;
  useEffect(() => {
    let held: ShortcutAction | null = null;
    const release = () => {
      if (held) current.current[held]?.release?.();
      held = null;
    };
    const handleKeyDown = (event: KeyboardEvent) => {
      const action = actionOf(event);
      const handler = action && current.current[action];
      if (!handler || isTaken(event)) return;
      // Space would scroll, and Firefox searches the page with some keys.
      event.preventDefault();
      if (event.repeat) return;
      if (handler.release) held = action;
      handler.press();
    };
    const handleKeyUp = ({ key }: KeyboardEvent) => {
      if (held && key === keyOf(held)) release();
    };
    addEventListener('keydown', handleKeyDown);
    addEventListener('keyup', handleKeyUp);
    addEventListener('blur', release);
    return () => {
      release();
      removeEventListener('keydown', handleKeyDown);
      removeEventListener('keyup', handleKeyUp);
      removeEventListener('blur', release);
    };
  }, []);
}

/** Whether an element of the page needs this key. */
function isTaken({ target, key }: KeyboardEvent): boolean {
  if (document.querySelector('dialog[open]')) return true;
  const element = target instanceof Element ? target : null;
  return element?.closest(key === ' ' ? `${TYPED_INTO}, ${PRESSED_BY_SPACE}` : TYPED_INTO) != null;
}
