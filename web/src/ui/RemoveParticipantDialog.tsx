/** Confirmation before a participant is removed. */
import { useEffect, useRef } from 'preact/hooks';

export function RemoveParticipantDialog({ name, remove, close }: { name: string; remove(): void; close(): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label={`Remove ${name}?`} onClose={close}>
      <h2>Remove {name}?</h2>
      <p class="quiet">{name} leaves the meeting at once. Lock the room as well if nobody shall come back.</p>
      <form class="dialog-row" method="dialog">
        <button class="button" type="submit">
          Cancel
        </button>
        <button class="button danger" type="submit" onClick={remove}>
          Remove
        </button>
      </form>
    </dialog>
  );
}
