/** Dialog to select another camera or microphone during a call. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { BackgroundPicker } from './BackgroundPicker';
import { DevicePickers } from './DevicePickers';
import { LanguagePicker } from './LanguagePicker';
import { MicrophoneLevel } from './MicrophoneLevel';
import { PanelDialog } from './PanelDialog';

export function DevicesDialog({ app: { capture, background }, close }: { app: App; close(): void }) {
  return (
    <PanelDialog title={t('devices.title')} closeText={t('devices.done')} close={close}>
      <DevicePickers capture={capture} />
      <BackgroundPicker background={background} />
      <MicrophoneLevel capture={capture} />
      <LanguagePicker />
    </PanelDialog>
  );
}
