/** A question before something that cannot be undone. */
import { useEffect, useRef } from 'preact/hooks';

interface ConfirmDialogProps {
  title: string;
  text?: string;
  cancel: string;
  confirm: string;
  onConfirm(): void;
  close(): void;
}

export function ConfirmDialog({ title, text, cancel, confirm, onConfirm, close }: ConfirmDialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label={title} onClose={close}>
      <h2>{title}</h2>
      {text && <p class="quiet">{text}</p>}
      <form class="dialog-row" method="dialog">
        <button class="button" type="submit">
          {cancel}
        </button>
        <button class="button danger" type="submit" onClick={onConfirm}>
          {confirm}
        </button>
      </form>
    </dialog>
  );
}
