/** Before joining: how one will look and sound, with which devices, under which name. */
import type { App } from '../app';
import { PERSON_NAME_MAX } from '../address';
import { Brand } from './Brand';
import { Devices } from './Devices';
import { Field } from './Field';
import { AlertIcon } from './icons';
import { Preview } from './Preview';
import { failureText } from './sentences';

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
              <span>{failureText(failure, app.token.value !== '')}</span>
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
