/** Confirmation before a participant is removed, and kept out if the host wants it. */
import { useSignal } from '@preact/signals';
import { t, tx } from '../i18n/translate';
import { ConfirmDialog } from './ConfirmDialog';

interface RemoveParticipantDialogProps {
  name: string;
  remove(ban: boolean): void;
  close(): void;
}

export function RemoveParticipantDialog({ name, remove, close }: RemoveParticipantDialogProps) {
  const ban = useSignal(false);
  const isolated = { name: <bdi>{name}</bdi> };
  return (
    <ConfirmDialog
      label={t('host.removeTitle', { name })}
      title={tx('host.removeTitle', isolated)}
      cancel={t('host.cancel')}
      confirm={t('host.remove')}
      onConfirm={() => remove(ban.value)}
      close={close}
    >
      <p class="quiet">{tx('host.removeText', isolated)}</p>
      <label class="check">
        <input type="checkbox" checked={ban.value} onChange={(event) => (ban.value = event.currentTarget.checked)} />
        <span>{tx('host.keepOut', isolated)}</span>
      </label>
    </ConfirmDialog>
  );
}
