/** Preview of the own camera and microphone: picture, switches, level and device errors. */
import type { App } from '../app';
import { AlertIcon, CameraIcon, MicIcon } from './icons';
import { MicrophoneLevel } from './MicrophoneLevel';
import { deviceErrorText } from './messages';
import { VideoPlayer } from './VideoPlayer';

export function DevicePreview({ app }: { app: App }) {
  const { capture } = app;
  const cameraOn = capture.cameraOn.value;
  const microphoneOn = capture.microphoneOn.value;
  return (
    <section class="preview" aria-label="Preview">
      <div class="preview-picture">
        {capture.camera.value ? (
          <VideoPlayer track={capture.camera.value} mirrored label="Your camera" />
        ) : (
          <p class="preview-empty">{capture.awaitingPermission.value ? 'Waiting for your permission…' : 'Camera is off'}</p>
        )}
        <div class="preview-controls">
          <button
            type="button"
            class={`round ${microphoneOn ? '' : 'off'}`}
            aria-label={microphoneOn ? 'Mute microphone' : 'Unmute microphone'}
            title={microphoneOn ? 'Mute microphone' : 'Unmute microphone'}
            onClick={() => void capture.toggle('microphone')}
          >
            <MicIcon off={!microphoneOn} />
          </button>
          <button
            type="button"
            class={`round ${cameraOn ? '' : 'off'}`}
            aria-label={cameraOn ? 'Turn camera off' : 'Turn camera on'}
            title={cameraOn ? 'Turn camera off' : 'Turn camera on'}
            onClick={() => void capture.toggle('camera')}
          >
            <CameraIcon off={!cameraOn} />
          </button>
        </div>
      </div>
      <MicrophoneLevel capture={capture} />
      <DeviceErrors app={app} />
    </section>
  );
}

function DeviceErrors({ app }: { app: App }) {
  const { cameraError, microphoneError } = app.capture;
  const texts = new Set<string>();
  if (cameraError.value && cameraError.value === microphoneError.value) {
    texts.add(deviceErrorText('both', cameraError.value));
  } else {
    if (cameraError.value) texts.add(deviceErrorText('camera', cameraError.value));
    if (microphoneError.value) texts.add(deviceErrorText('microphone', microphoneError.value));
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
