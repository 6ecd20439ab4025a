/** Dialog to select another camera or microphone during a call. */
import type { Capture } from '../capture';
import { t } from '../i18n/translate';
import { DevicePickers } from './DevicePickers';
import { LanguagePicker } from './LanguagePicker';
import { MicrophoneLevel } from './MicrophoneLevel';
import { PanelDialog } from './PanelDialog';

export function DevicesDialog({ capture, close }: { capture: Capture; close(): void }) {
  return (
    <PanelDialog title={t('devices.title')} closeText={t('devices.done')} close={close}>
      <DevicePickers capture={capture} />
      <MicrophoneLevel capture={capture} />
      <LanguagePicker />
    </PanelDialog>
  );
}
