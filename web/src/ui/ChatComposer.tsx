/** Where chat messages are typed: the receiver, the text, and the button that sends it. */
import { useId, useRef } from 'preact/hooks';
import { isTooLong } from '../chat';
import { t } from '../i18n/translate';
import type { Named } from '../notifications';
import type { Room } from '../room';
import { SendIcon } from './icons';
import { labelOf } from './messages';
import { SelectField } from './SelectField';

export function ChatComposer({ room }: { room: Room }) {
  const { chat } = room.conversation;
  const field = useRef<HTMLTextAreaElement>(null);
  const noteId = useId();
  const receivers = receiversOf(room);
  const text = chat.draft.value.trim();
  const tooLong = isTooLong(text);
  const problem = noteFor(room, receivers) || (tooLong ? t('chat.tooLong') : '');
  const send = () => {
    if (!text || problem) return;
    chat.send(text, chat.receiver.value);
    chat.draft.value = '';
    field.current?.focus();
  };
  return (
    <form
      class={chat.receiver.value ? 'chat-composer private' : 'chat-composer'}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <ReceiverPicker room={room} receivers={receivers} />
      {problem && (
        <p class="field-problem" id={noteId} role="status">
          {problem}
        </p>
      )}
      <div class="chat-line">
        <textarea
          ref={field}
          rows={2}
          dir="auto"
          aria-label={t('chat.field')}
          aria-describedby={problem ? noteId : undefined}
          aria-invalid={tooLong}
          placeholder={t('chat.field')}
          value={chat.draft.value}
          onInput={(event) => (chat.draft.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <button type="submit" class="round chat-send" aria-label={t('chat.send')} title={t('chat.send')} aria-disabled={problem !== '' || !text}>
          <SendIcon />
        </button>
      </div>
    </form>
  );
}

const EVERYBODY = '';

function ReceiverPicker({ room, receivers }: { room: Room; receivers: Named[] }) {
  const { receiver } = room.conversation.chat;
  const chosen = receiver.value;
  if (receivers.length === 0 && !chosen) return null;
  const hasLeft = chosen !== null && !receivers.some(({ id }) => id === chosen.id);
  const people = hasLeft ? [chosen, ...receivers] : receivers;
  return (
    <SelectField
      isInline
      label={t('chat.to')}
      choices={[{ value: EVERYBODY, text: t('chat.everybody') }, ...people.map((named) => ({ value: named.id, text: labelOf(named) }))]}
      chosen={chosen?.id ?? EVERYBODY}
      choose={(value) => (receiver.value = people.find(({ id }) => id === value) ?? null)}
    />
  );
}

/** Whether only hosts may write to everybody, and we are none. */
function isRestricted(room: Room): boolean {
  return room.conversation.chat.policy.value === 'hosts' && room.role.value !== 'host';
}

/** Returns the participants to whom we may write alone. */
function receiversOf(room: Room): Named[] {
  const participants = room.participants.value;
  const allowed = isRestricted(room) ? participants.filter(({ role }) => role.value === 'host') : participants;
  return allowed.map(({ identity }) => identity);
}

/** Returns why the message cannot be sent; empty when it can. */
function noteFor(room: Room, receivers: Named[]): string {
  const receiver = room.conversation.chat.receiver.value;
  if (receiver && !receivers.some(({ id }) => id === receiver.id)) return t('chat.receiverGone', { name: labelOf(receiver) });
  if (!receiver && isRestricted(room)) return t(receivers.length > 0 ? 'chat.onlyHostsWrite' : 'chat.onlyHostsWriteNobody');
  return '';
}
