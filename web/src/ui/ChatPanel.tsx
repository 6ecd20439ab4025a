/** Panel of the chat beside the tiles: messages and polls. Loaded on demand. */
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { t } from '../i18n/translate';
import type { ChatPolicy } from '../protocol';
import type { Room } from '../room';
import '../styles/chat.css';
import { ChatComposer } from './ChatComposer';
import { ChatMessages } from './ChatMessages';
import { ChatPolls } from './ChatPolls';
import { CloseIcon } from './icons';
import { onEscape, usePanelFocus } from './panelFocus';

const POLICIES: ChatPolicy[] = ['everybody', 'hosts'];

export interface ChatPanelProps {
  room: Room;
  close(): void;
}

export function ChatPanel({ room, close }: ChatPanelProps) {
  const { polls } = room.conversation;
  const showsPolls = useSignal(false);
  const panel = usePanelFocus('textarea');
  const unanswered = polls.unansweredCount.value;
  return (
    <aside class="panel chat" aria-label={t('chat.title')} ref={panel} onKeyDown={onEscape(close)}>
      <header class="panel-head">
        <div class="chat-tabs" role="group" aria-label={t('chat.title')}>
          <button type="button" aria-pressed={!showsPolls.value} onClick={() => (showsPolls.value = false)}>
            {t('chat.title')}
          </button>
          <button type="button" aria-pressed={showsPolls.value} onClick={() => (showsPolls.value = true)}>
            {unanswered > 0 ? t('polls.titleCount', { count: unanswered }) : t('polls.title')}
          </button>
        </div>
        <button type="button" class="ghost" aria-label={t('chat.close')} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      {showsPolls.value ? (
        <ChatPolls room={room} />
      ) : (
        <>
          {room.role.value === 'host' && <PolicyPicker room={room} />}
          <ChatMessages room={room} />
          <ChatComposer room={room} />
        </>
      )}
    </aside>
  );
}

/** Select of a host for who may write. */
function PolicyPicker({ room }: { room: Room }) {
  const { policy } = room.conversation.chat;
  const id = useId();
  return (
    <div class="chat-choice">
      <label for={id}>{t('chat.policy.label')}</label>
      <select
        id={id}
        value={policy.value}
        onChange={(event) => {
          const wanted = POLICIES.find((it) => it === event.currentTarget.value);
          if (wanted) room.moderation.setChatPolicy(wanted);
        }}
      >
        {POLICIES.map((value) => (
          <option key={value} value={value}>
            {t(`chat.policy.${value}`)}
          </option>
        ))}
      </select>
    </div>
  );
}
