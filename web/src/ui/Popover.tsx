/** A button that opens a small panel beside it. Escape and a click elsewhere close it. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface PopoverProps {
  label: string;
  /** Class of the button. */
  class: string;
  pressed?: boolean;
  icon: ComponentChildren;
  children(close: () => void): ComponentChildren;
}

export function Popover({ label, class: className, pressed, icon, children }: PopoverProps) {
  const open = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const isOpen = open.value;
  useEffect(() => {
    if (!isOpen) return;
    const close = (event: Event) => {
      const isElsewhere = event.type === 'pointerdown' && !root.current?.contains(event.target as Node);
      const isEscape = event instanceof KeyboardEvent && event.key === 'Escape';
      if (!isElsewhere && !isEscape) return;
      open.value = false;
      if (isEscape) button.current?.focus();
    };
    addEventListener('pointerdown', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('pointerdown', close);
      removeEventListener('keydown', close);
    };
  }, [isOpen, open]);
  return (
    <div class="popover" ref={root}>
      <button
        ref={button}
        type="button"
        class={className}
        aria-label={label}
        title={label}
        aria-expanded={isOpen}
        aria-pressed={pressed}
        onClick={() => (open.value = !isOpen)}
      >
        {icon}
      </button>
      {isOpen && (
        <div class="popover-panel card" role="group" aria-label={label}>
          {children(() => (open.value = false))}
        </div>
      )}
    </div>
  );
}
