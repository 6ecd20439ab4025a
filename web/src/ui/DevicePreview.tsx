/** Preview of the own camera and microphone: picture, switches, level and device errors. */
import type { App } from '../app';
import type { Device, DeviceError } from '../capture';
import { t } from '../i18n/translate';
import { BackgroundPicker } from './BackgroundPicker';
import { ConnectionTestButton } from './ConnectionTestButton';
import { AlertIcon, CameraIcon, MicIcon } from './icons';
import { MicrophoneLevel } from './MicrophoneLevel';
import { deviceErrorText } from './messages';
import { VideoPlayer } from './VideoPlayer';

/** `joining` tells whether the person can join without devices from here. */
export function DevicePreview({ app, joining = false }: { app: App; joining?: boolean }) {
  const { capture, background } = app;
  const cameraOn = capture.cameraOn.value;
  const microphoneOn = capture.microphoneOn.value;
  const saving = app.saveData.value;
  const cameraLabel = t(saving ? 'controls.cameraPaused' : cameraOn ? 'device.cameraOff' : 'device.cameraOn');
  return (
    <section class="preview" aria-label={t('preview.label')}>
      <div class="preview-picture">
        {background.track.value ? (
          <VideoPlayer track={background.track.value} mirrored label={t('device.yourCamera')} />
        ) : (
          <p class="preview-empty">
            {t(placeholderKey(app))}
          </p>
        )}
        <div class="preview-controls">
          <button
            type="button"
            class={`round ${microphoneOn ? '' : 'off'}`}
            aria-label={t(microphoneOn ? 'device.mute' : 'device.unmute')}
            title={t(microphoneOn ? 'device.mute' : 'device.unmute')}
            onClick={() => void capture.toggle('microphone')}
          >
            <MicIcon off={!microphoneOn} />
          </button>
          <button
            type="button"
            class={`round ${saving ? 'unavailable' : cameraOn ? '' : 'off'}`}
            aria-label={cameraLabel}
            aria-disabled={saving}
            title={cameraLabel}
            onClick={() => void (saving || capture.toggle('camera'))}
          >
            <CameraIcon off={!cameraOn} />
          </button>
        </div>
      </div>
      <MicrophoneLevel capture={capture} />
      <BackgroundPicker background={background} />
      <DeviceErrors app={app} joining={joining} />
      {joining && <ConnectionTestButton app={app} />}
    </section>
  );
}

/** Why there is no picture. */
function placeholderKey({ capture, background }: App) {
  if (capture.awaitingPermission.value) return 'preview.awaitingPermission';
  return background.loading.value ? 'background.loading' : 'preview.cameraOff';
}

function DeviceErrors({ app, joining }: { app: App; joining: boolean }) {
  const { cameraError, microphoneError } = app.capture;
  const texts = new Set<string>();
  const add = (device: Device | 'both', error: DeviceError) => {
    const text = deviceErrorText(device, error);
    texts.add(joining ? `${text} ${t('deviceError.joinWithout')}` : text);
  };
  if (cameraError.value && cameraError.value === microphoneError.value) {
    add('both', cameraError.value);
  } else {
    if (cameraError.value) add('camera', cameraError.value);
    if (microphoneError.value) add('microphone', microphoneError.value);
  }
  return (
    <>
      {[...texts].map((text) => (
        <p class="alert" role="alert" key={text}>
          <AlertIcon />
          <span>{text}</span>
        </p>
      ))}
    </>
  );
}
