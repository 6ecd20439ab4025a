/** Before joining: how one will look and sound, with which devices, under which name. */
import type { App } from '../app';
import { PERSON_NAME_MAX } from '../address';
import { Brand } from './Brand';
import { Devices } from './Devices';
import { Field } from './Field';
import { AlertIcon, CameraIcon, MicIcon } from './icons';
import { LevelMeter } from './LevelMeter';
import { failureText, troubleText } from './sentences';
import { Video } from './Video';

export function Lobby({ app }: { app: App }) {
  const { capture } = app;
  const join = (event: Event) => {
    event.preventDefault();
    void app.join();
  };
  const failure = app.failure.value;
  return (
    <div class="outside">
      <Brand />
      <main class="lobby-main">
        <Preview app={app} />
        <form class="card lobby-form" onSubmit={join}>
          <div>
            <p class="eyebrow">You are about to join</p>
            <h1 class="room-name">{app.roomId.value}</h1>
          </div>
          {failure && (
            <p class="alert" role="alert">
              <AlertIcon />
              <span>{failureText(failure)}</span>
            </p>
          )}
          <Field
            label="Your name"
            value={app.name.value}
            placeholder="How others will see you"
            most={PERSON_NAME_MAX}
            autocomplete="name"
            autofocus
            onInput={(value) => (app.name.value = value)}
          />
          <Devices capture={capture} />
          <button class="button primary large" type="submit">
            Join now
          </button>
          <button class="button plain" type="button" onClick={() => app.toLanding()}>
            Choose another room
          </button>
        </form>
      </main>
    </div>
  );
}

function Preview({ app }: { app: App }) {
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
