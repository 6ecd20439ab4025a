/** A question before something that cannot be undone, or that the person must agree to. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface ConfirmDialogProps {
  /** The question as plain text. */
  label: string;
  /** The question as it is shown; absent means the label. */
  title?: ComponentChildren;
  /** Further explanations and choices. */
  children?: ComponentChildren;
  cancel: string;
  confirm: string;
  /** Look of the button that confirms. */
  tone?: 'danger' | 'primary';
  onConfirm(): void;
  close(): void;
}

export function ConfirmDialog({ label, title = label, children, cancel, confirm, tone = 'danger', onConfirm, close }: ConfirmDialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label={label} onClose={close}>
      <h2>{title}</h2>
      {children}
      <form class="dialog-row" method="dialog">
        <button class="button" type="submit">
          {cancel}
        </button>
        <button class={`button ${tone}`} type="submit" onClick={onConfirm}>
          {confirm}
        </button>
      </form>
    </dialog>
  );
}
