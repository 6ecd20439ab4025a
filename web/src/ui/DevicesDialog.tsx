/** Dialog to select another camera or microphone during a call. */
import { useEffect, useRef } from 'preact/hooks';
import type { Capture } from '../capture';
import { t } from '../i18n/translate';
import { DevicePickers } from './DevicePickers';
import { LanguagePicker } from './LanguagePicker';
import { MicrophoneLevel } from './MicrophoneLevel';

export function DevicesDialog({ capture, close }: { capture: Capture; close(): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label={t('devices.title')} onClose={close}>
      <h2>{t('devices.title')}</h2>
      <DevicePickers capture={capture} />
      <MicrophoneLevel capture={capture} />
      <LanguagePicker />
      <form method="dialog">
        <button class="button primary" type="submit">
          {t('devices.done')}
        </button>
      </form>
    </dialog>
  );
}
