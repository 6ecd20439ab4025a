/** The first screen: open a room, or go to one by its name or link. */
import { useSignal } from '@preact/signals';
import type { App } from '../app';
import { destination } from '../address';
import { CreationRefused } from '../api';
import { freshRoomName } from '../names';
import type { Policy } from '../protocol';
import { AlertIcon, ArrowIcon } from './icons';
import { Brand } from './Brand';
import { Field } from './Field';
import { Select } from './Select';
import { creationText, POLICY_LABEL } from './sentences';

const POLICIES: Policy[] = ['open', 'invite-only', 'approval'];

export function Landing({ app }: { app: App }) {
  return (
    <div class="outside landing">
      <Brand />
      <main class="landing-main">
        <div class="pitch">
          <h1>Meet where the streams come together.</h1>
          <p class="lead">Open a room, send the link, and talk. No account, nothing to install.</p>
        </div>
        <div class="card start">
          <NewMeeting app={app} />
          <div class="or" aria-hidden="true">
            or
          </div>
          <GoToRoom app={app} />
        </div>
      </main>
    </div>
  );
}

function NewMeeting({ app }: { app: App }) {
  const policy = useSignal<Policy>('open');
  const busy = useSignal(false);
  const wrong = useSignal('');

  const open = async () => {
    // An open room needs no invitation: whoever comes first makes it.
    if (policy.value === 'open') return app.choose({ roomId: freshRoomName(), token: '' });
    if (busy.value) return;
    busy.value = true;
    wrong.value = '';
    try {
      await app.create(policy.value);
    } catch (error) {
      if (!(error instanceof CreationRefused)) throw error;
      wrong.value = creationText(error.trouble);
    }
    busy.value = false;
  };

  return (
    <div class="new-meeting">
      <button class="button primary large" type="button" aria-disabled={busy.value} onClick={() => void open()}>
        New meeting
        <ArrowIcon />
      </button>
      <Select
        label="Who can come in"
        choices={POLICIES.map((value) => ({ value, text: POLICY_LABEL[value] }))}
        chosen={policy.value}
        choose={(value) => {
          policy.value = value;
          wrong.value = '';
        }}
      />
      {wrong.value && (
        <p class="alert" role="alert">
          <AlertIcon />
          <span>{wrong.value}</span>
        </p>
      )}
    </div>
  );
}

function GoToRoom({ app }: { app: App }) {
  const typed = useSignal('');
  const wrong = useSignal('');

  const join = (event: Event) => {
    event.preventDefault();
    const wanted = destination(typed.value);
    if (wanted.roomId) app.choose(wanted);
    else wrong.value = typed.value.trim() ? 'That link names no room.' : 'Type a room name or paste a link first.';
  };

  return (
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
  );
}
