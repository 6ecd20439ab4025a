/** Panel of the chat beside the tiles: messages and polls. Loaded on demand. */
import { useSignal } from '@preact/signals';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import '../styles/chat.css';
import { ChatComposer } from './ChatComposer';
import { ChatMessages } from './ChatMessages';
import { ChatPolicyField } from './ChatPolicyField';
import { ChatPolls } from './ChatPolls';
import { CloseIcon } from './icons';
import { onEscape, usePanelFocus } from './panelFocus';

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
          {room.role.value === 'host' && <ChatPolicyField room={room} label={t('chat.policy.label')} isInline />}
          <ChatMessages room={room} />
          <ChatComposer room={room} />
        </>
      )}
    </aside>
  );
}
