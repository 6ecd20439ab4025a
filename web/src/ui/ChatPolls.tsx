/** Polls of a call: voting, results as they come in, and starting one. */
import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { formatNumber, t } from '../i18n/translate';
import { OPTIONS_MAX, OPTIONS_MIN, OPTION_LENGTH_MAX, QUESTION_LENGTH_MAX, type Poll } from '../polls';
import { cleanText, lengthOf } from '../pageUrl';
import type { Room } from '../room';
import { labelOf } from './messages';
import { TextField } from './TextField';

export function ChatPolls({ room }: { room: Room }) {
  const { polls, chat } = room.conversation;
  const writing = useSignal(false);
  const isHost = room.role.value === 'host';
  const list = useFocusAfterChange(writing.value);
  const mayStart = isHost || chat.policy.value === 'everybody';
  return (
    <div class="panel-body chat-polls" ref={list}>
      {writing.value ? (
        <NewPoll room={room} close={() => (writing.value = false)} />
      ) : (
        mayStart && (
          <button type="button" class="button" onClick={() => (writing.value = true)}>
            {t('polls.new')}
          </button>
        )
      )}
      {polls.polls.value.length === 0 && !writing.value && <p class="quiet chat-empty">{t('polls.empty')}</p>}
      {polls.polls.value.map((poll) => (
        <PollCard key={poll.id} room={room} poll={poll} mayClose={poll.isOwn || isHost} />
      ))}
    </div>
  );
}

/** Focuses the first field or button when the form has come or gone: what was focused before is gone. */
function useFocusAfterChange(isWriting: boolean): RefObject<HTMLDivElement | null> {
  const list = useRef<HTMLDivElement>(null);
  const before = useRef(isWriting);
  useEffect(() => {
    if (before.current === isWriting) return;
    before.current = isWriting;
    list.current?.querySelector<HTMLElement>('input, button')?.focus();
  }, [isWriting]);
  return list;
}

function PollCard({ room, poll, mayClose }: { room: Room; poll: Poll; mayClose: boolean }) {
  const { polls } = room.conversation;
  const total = poll.votes.reduce((sum, votes) => sum + votes, 0);
  return (
    <fieldset class="poll">
      <legend dir="auto">{poll.question}</legend>
      <p class="quiet">{poll.isOwn ? t('polls.byYou') : t('polls.by', { name: labelOf(poll.author) })}</p>
      {poll.options.map((option, index) => {
        const votes = poll.votes[index] ?? 0;
        const share = total > 0 ? (100 * votes) / total : 0;
        return (
          <label class="poll-option" key={option}>
            <input
              type="radio"
              name={`poll ${poll.id}`}
              checked={poll.ownVote === index}
              disabled={poll.isClosed}
              onChange={() => void polls.vote(poll.id, index)}
            />
            <span class="poll-text" dir="auto">
              {option}
            </span>
            <span class="poll-votes">
              <span aria-hidden="true">{formatNumber(votes)}</span>
              <span class="hidden">{t('polls.votes', { count: votes })}</span>
            </span>
            <span class="poll-bar" aria-hidden="true" style={{ width: `${share}%` }} />
          </label>
        );
      })}
      <div class="poll-foot">
        <span class="quiet">{poll.isClosed ? t('polls.closed') : t('polls.votes', { count: total })}</span>
        {mayClose && !poll.isClosed && (
          <button type="button" class="button small" onClick={() => polls.close(poll.id)}>
            {t('polls.close')}
          </button>
        )}
      </div>
    </fieldset>
  );
}

function NewPoll({ room, close }: { room: Room; close(): void }) {
  const question = useSignal('');
  const options = useSignal<string[]>(Array.from({ length: OPTIONS_MIN }, () => ''));
  const problem = useSignal('');
  const problemId = useId();
  const start = async () => {
    const filled = options.value.map(cleanText).filter(Boolean);
    const asked = cleanText(question.value);
    problem.value = problemWith(asked, filled);
    if (problem.value) return;
    if (await room.conversation.polls.open(asked, filled)) close();
  };
  return (
    <form
      class="poll-form"
      aria-label={t('polls.new')}
      aria-describedby={problem.value ? problemId : undefined}
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <TextField label={t('polls.question')} value={question.value} onInput={(value) => (question.value = value)} />
      {options.value.map((option, index) => (
        <TextField
          key={index}
          label={t('polls.option', { number: index + 1 })}
          value={option}
          onInput={(value) => (options.value = options.value.map((it, at) => (at === index ? value : it)))}
        />
      ))}
      {options.value.length < OPTIONS_MAX && (
        <button type="button" class="button small" onClick={() => (options.value = [...options.value, ''])}>
          {t('polls.addOption')}
        </button>
      )}
      {problem.value && (
        <p class="field-problem" id={problemId} role="alert">
          {problem.value}
        </p>
      )}
      <div class="poll-foot">
        <button type="button" class="button" onClick={close}>
          {t('polls.cancel')}
        </button>
        <button type="submit" class="button primary">
          {t('polls.start')}
        </button>
      </div>
    </form>
  );
}

/** Returns why a poll cannot be started; empty when it can. */
function problemWith(question: string, options: string[]): string {
  if (!question) return t('polls.noQuestion');
  if (options.length < OPTIONS_MIN) return t('polls.tooFewOptions');
  if (new Set(options).size < options.length) return t('polls.sameOptions');
  if (lengthOf(question) > QUESTION_LENGTH_MAX) return t('polls.questionTooLong', { max: QUESTION_LENGTH_MAX });
  if (options.some((option) => lengthOf(option) > OPTION_LENGTH_MAX)) return t('polls.optionTooLong', { max: OPTION_LENGTH_MAX });
  return '';
}
