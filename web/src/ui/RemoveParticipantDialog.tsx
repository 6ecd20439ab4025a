/** Confirmation before a participant is removed, and kept out if the host wants it. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

interface RemoveParticipantDialogProps {
  name: string;
  remove(ban: boolean): void;
  close(): void;
}

export function RemoveParticipantDialog({ name, remove, close }: RemoveParticipantDialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const ban = useSignal(false);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label={`Remove ${name}?`} onClose={close}>
      <h2>Remove {name}?</h2>
      <p class="quiet">{name} leaves the meeting at once, and can join again unless you keep them out.</p>
      <label class="check">
        <input type="checkbox" checked={ban.value} onChange={(event) => (ban.value = event.currentTarget.checked)} />
        Keep {name} out of this meeting
      </label>
      <form class="dialog-row" method="dialog">
        <button class="button" type="submit">
          Cancel
        </button>
        <button class="button danger" type="submit" onClick={() => remove(ban.value)}>
          Remove
        </button>
      </form>
    </dialog>
  );
}
