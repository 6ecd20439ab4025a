/** Asks whether to leave the meeting, after the browser's back button. */
import { t } from '../i18n/translate';
import type { LeaveGuard } from '../leaveGuard';
import { ConfirmDialog } from './ConfirmDialog';

export function LeaveDialog({ guard }: { guard: LeaveGuard }) {
  return (
    <ConfirmDialog
      label={t('leaving.title')}
      cancel={t('leaving.stay')}
      confirm={t('controls.leave')}
      onConfirm={() => guard.confirm()}
      close={() => guard.cancel()}
    />
  );
}
