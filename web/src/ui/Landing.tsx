/** The first screen: open a room, or go to one by its name or link. */
import { useSignal } from '@preact/signals';
import type { App } from '../app';
import { roomFromText } from '../address';
import { freshRoomName } from '../names';
import { ArrowIcon } from './icons';
import { Brand } from './Brand';
import { Field } from './Field';

export function Landing({ app }: { app: App }) {
  const typed = useSignal('');
  const wrong = useSignal('');

  const join = (event: Event) => {
    event.preventDefault();
    const roomId = roomFromText(typed.value);
    if (roomId) app.choose(roomId);
    else wrong.value = typed.value.trim() ? 'That link names no room.' : 'Type a room name or paste a link first.';
  };

  return (
    <div class="outside landing">
      <Brand />
      <main class="landing-main">
        <div class="pitch">
          <h1>Meet where the streams come together.</h1>
          <p class="lead">Open a room, send the link, and talk. No account, nothing to install.</p>
        </div>
        <div class="card start">
          <button class="button primary large" type="button" onClick={() => app.choose(freshRoomName())}>
            New meeting
            <ArrowIcon />
          </button>
          <div class="or" aria-hidden="true">
            or
          </div>
          <form class="join-form" onSubmit={join} noValidate>
            <Field
              label="Room name or link"
              value={typed.value}
              placeholder="quiet-delta-heron-k7qm"
              problem={wrong.value}
              spellcheck={false}
              onInput={(value) => {
                typed.value = value;
                wrong.value = '';
              }}
            />
            <button class="button large" type="submit">
              Join
            </button>
          </form>
        </div>
      </main>
    </div>
  );
}
