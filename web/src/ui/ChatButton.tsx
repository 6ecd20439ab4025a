/** Button in the header that opens the chat, with the number of unread messages and unanswered polls. */
import { formatNumber, t } from '../i18n/translate';
import type { Room } from '../room';
import { keyOf, withKey } from '../shortcuts';
import { ChatIcon } from './icons';

export function ChatButton({ room, onClick }: { room: Room; onClick(): void }) {
  const { chat, polls } = room.conversation;
  const unread = chat.unreadCount.value;
  const unanswered = polls.unansweredCount.value;
  const isOpen = chat.isOpen.value;
  const parts = [
    t('chat.title'),
    ...(unread > 0 ? [t('chat.unread', { count: unread })] : []),
    ...(unanswered > 0 ? [t('polls.unanswered', { count: unanswered })] : []),
  ];
  return (
    <button type="button" class="chip chat-button" aria-label={parts.join(', ')} aria-expanded={isOpen} aria-keyshortcuts={keyOf('chat')} title={withKey(t('chat.title'), 'chat')} onClick={onClick}>
      <ChatIcon />
      {unread + unanswered > 0 && (
        <span class="badge" aria-hidden="true">
          {formatNumber(unread + unanswered)}
        </span>
      )}
    </button>
  );
}
