/** Modal dialog with a title and one button that closes it, as Escape does. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface PanelDialogProps {
  title: string;
  class?: string;
  closeText: string;
  /** Whether another button is the main one. */
  hasMainButton?: boolean;
  close(): void;
  children: ComponentChildren;
}

export function PanelDialog({ title, class: extraClass, closeText, hasMainButton, close, children }: PanelDialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class={extraClass ? `card dialog ${extraClass}` : 'card dialog'} ref={ref} aria-label={title} onClose={close}>
      <h2>{title}</h2>
      {children}
      <form method="dialog">
        <button class={hasMainButton ? 'button' : 'button primary'} type="submit">
          {closeText}
        </button>
      </form>
    </dialog>
  );
}
