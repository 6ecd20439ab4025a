/** First page: create a room, or open one by its name or link. */
import { useSignal } from '@preact/signals';
import type { App } from '../app';
import { BASE_URL } from '../basePath';
import { ROOM_NAME_MAX, cleanText, lengthOf, parseTyped, type TypedProblem } from '../pageUrl';
import { CreateRoomError, type CreateRoomFailure } from '../createRoom';
import { t } from '../i18n/translate';
import { generateRoomName } from '../roomNames';
import type { Policy } from '../protocol';
import { AlertIcon, ArrowIcon } from './icons';
import { Brand } from './Brand';
import { TextField } from './TextField';
import { SelectField } from './SelectField';
import { createRoomErrorText, policyLabel, typedProblemText } from './messages';

const POLICIES: Policy[] = ['open', 'invite-only', 'approval'];

export function LandingPage({ app }: { app: App }) {
  return (
    <div class="outside landing">
      <Brand />
      <main class="landing-main">
        <div class="pitch">
          <h1>{t('landing.title')}</h1>
          <p class="lead">{t('landing.lead')}</p>
        </div>
        <div class="card start">
          <NewMeeting app={app} />
          <div class="or" aria-hidden="true">
            {t('landing.or')}
          </div>
          <GoToRoom app={app} />
        </div>
      </main>
    </div>
  );
}

function NewMeeting({ app }: { app: App }) {
  const policy = useSignal<Policy>('open');
  const title = useSignal('');
  const busy = useSignal(false);
  const problem = useSignal<CreateRoomFailure | null>(null);
  const cleanTitle = cleanText(title.value);
  const titleIsTooLong = lengthOf(cleanTitle) > ROOM_NAME_MAX;

  const createMeeting = async () => {
    // An open room needs no invitation: joining creates it.
    if (policy.value === 'open') return app.openRoom({ roomId: generateRoomName(), token: '' });
    if (busy.value || titleIsTooLong) return;
    busy.value = true;
    problem.value = null;
    try {
      await app.createRoom(policy.value, cleanTitle);
    } catch (error) {
      if (!(error instanceof CreateRoomError)) throw error;
      problem.value = error.failure;
    }
    busy.value = false;
  };

  return (
    <div class="new-meeting">
      <button class="button primary large" type="button" aria-disabled={busy.value} onClick={() => void createMeeting()}>
        {t('landing.newMeeting')}
        <ArrowIcon />
      </button>
      <SelectField
        label={t('policy.label')}
        choices={POLICIES.map((value) => ({ value, text: policyLabel(value) }))}
        chosen={policy.value}
        choose={(value) => {
          policy.value = value;
          problem.value = null;
        }}
      />
      {policy.value !== 'open' && (
        <TextField
          label={t('landing.titleLabel')}
          value={title.value}
          placeholder={t('landing.titlePlaceholder')}
          problem={titleIsTooLong ? t('field.tooLong', { max: ROOM_NAME_MAX }) : ''}
          onInput={(value) => (title.value = value)}
        />
      )}
      {problem.value && (
        <p class="alert" role="alert">
          <AlertIcon />
          <span>{createRoomErrorText(problem.value)}</span>
        </p>
      )}
    </div>
  );
}

function GoToRoom({ app }: { app: App }) {
  const typed = useSignal('');
  const problem = useSignal<TypedProblem | null>(null);

  const join = (event: Event) => {
    event.preventDefault();
    const wanted = parseTyped(BASE_URL, typed.value);
    if ('code' in wanted) problem.value = wanted;
    else app.openRoom(wanted);
  };

  return (
    <form class="join-form" onSubmit={join} noValidate>
      <TextField
        label={t('landing.roomOrLink')}
        value={typed.value}
        placeholder="quiet-delta-heron-k7qm"
        problem={problem.value ? typedProblemText(problem.value) : ''}
        spellcheck={false}
        onInput={(value) => {
          typed.value = value;
          problem.value = null;
        }}
      />
      <button class="button large" type="submit">
        {t('landing.join')}
      </button>
    </form>
  );
}
