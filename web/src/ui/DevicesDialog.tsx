/** Dialog to select other devices during a call, and the quality of the camera. A viewer has only the speaker. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { BackgroundPicker } from './BackgroundPicker';
import { CameraQualityFields } from './CameraQualityFields';
import { DevicePickers } from './DevicePickers';
import { LanguagePicker } from './LanguagePicker';
import { MicrophoneLevel } from './MicrophoneLevel';
import { PanelDialog } from './PanelDialog';
import { SpeakerPicker } from './SpeakerPicker';

export function DevicesDialog({ app, isViewer, close }: { app: App; isViewer: boolean; close(): void }) {
  return (
    <PanelDialog title={t('devices.title')} closeText={t('devices.done')} close={close}>
      {!isViewer && (
        <div class="devices">
          <DevicePickers capture={app.capture} />
          <MicrophoneLevel capture={app.capture} />
          <CameraQualityFields app={app} />
          <BackgroundPicker background={app.background} />
        </div>
      )}
      <SpeakerPicker output={app.capture.output} />
      <LanguagePicker />
    </PanelDialog>
  );
}
