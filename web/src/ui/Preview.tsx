/** How one will look and sound: own picture, its switches, the microphone's level, and what is wrong. */
import type { App } from '../app';
import { AlertIcon, CameraIcon, MicIcon } from './icons';
import { LevelMeter } from './LevelMeter';
import { troubleText } from './sentences';
import { Video } from './Video';

export function Preview({ app }: { app: App }) {
  const { capture } = app;
  const cameraOn = capture.cameraOn.value;
  const microphoneOn = capture.microphoneOn.value;
  return (
    <section class="preview" aria-label="Preview">
      <div class="preview-picture">
        {capture.camera.value ? (
          <Video track={capture.camera.value} mirrored label="Your camera" />
        ) : (
          <p class="preview-empty">{capture.asking.value ? 'Waiting for your permission…' : 'Camera is off'}</p>
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
      <LevelMeter capture={capture} />
      <Troubles app={app} />
    </section>
  );
}

function Troubles({ app }: { app: App }) {
  const { cameraTrouble, microphoneTrouble } = app.capture;
  const texts = new Set<string>();
  if (cameraTrouble.value && cameraTrouble.value === microphoneTrouble.value) {
    texts.add(troubleText('both', cameraTrouble.value));
  } else {
    if (cameraTrouble.value) texts.add(troubleText('camera', cameraTrouble.value));
    if (microphoneTrouble.value) texts.add(troubleText('microphone', microphoneTrouble.value));
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
