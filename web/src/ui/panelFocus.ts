/** Keyboard of a panel beside the tiles: the focus goes into it and back, and Escape closes it. */
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** Focuses an element of a panel when it opens, and what was focused before when it closes. */
export function usePanelFocus(selector: string): RefObject<HTMLElement | null> {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const element = panel.current;
    element?.querySelector<HTMLElement>(selector)?.focus();
    return () => {
      // The body has the focus when the focused element was removed.
      const lost = document.activeElement === document.body || element?.contains(document.activeElement);
      if (lost && before instanceof HTMLElement) before.focus();
    };
  }, []);
  return panel;
}

/** Returns a handler that closes a panel with Escape, except in a dialog over it and while a letter is composed. */
export function onEscape(close: () => void): (event: KeyboardEvent) => void {
  return ({ key, target, isComposing }) => {
    if (key === 'Escape' && !isComposing && !(target as HTMLElement | null)?.closest('dialog')) close();
  };
}
