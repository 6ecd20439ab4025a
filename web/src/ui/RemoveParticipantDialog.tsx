/** Confirmation before a participant is removed, and kept out if the host wants it. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t, tx } from '../i18n/translate';

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
    <dialog class="card dialog" ref={ref} aria-label={t('host.removeTitle', { name })} onClose={close}>
      <h2>{tx('host.removeTitle', { name: <bdi>{name}</bdi> })}</h2>
      <p class="quiet">{tx('host.removeText', { name: <bdi>{name}</bdi> })}</p>
      <label class="check">
        <input type="checkbox" checked={ban.value} onChange={(event) => (ban.value = event.currentTarget.checked)} />
        <span>{tx('host.keepOut', { name: <bdi>{name}</bdi> })}</span>
      </label>
      <form class="dialog-row" method="dialog">
        <button class="button" type="submit">
          {t('host.cancel')}
        </button>
        <button class="button danger" type="submit" onClick={() => remove(ban.value)}>
          {t('host.remove')}
        </button>
      </form>
    </dialog>
  );
}
