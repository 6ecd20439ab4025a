/** List of chat messages, the newest at the bottom. New ones are read out by screen readers. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { ChatMessage, UnsentMessage } from '../chat';
import { splitAtLinks } from '../chatLinks';
import { currentLanguage, t } from '../i18n/translate';
import type { Room } from '../room';
import { labelOf, reasonText } from './messages';

/** Distance in pixels from the bottom up to which the list follows new messages. */
const BOTTOM_DISTANCE = 80;

export function ChatMessages({ room }: { room: Room }) {
  const { chat } = room.conversation;
  const messages = chat.messages.value;
  const unsent = chat.unsent.value;
  const list = useFollowedBottom(messages.length + unsent.length);
  return (
    <div class="panel-body chat-list" role="log" aria-live="polite" aria-label={t('chat.messages')} tabIndex={0} ref={list}>
      {messages.length + unsent.length === 0 && <p class="quiet chat-empty">{t('chat.empty')}</p>}
      <ul>
        {messages.map((message) => (
          <Message key={message.id} message={message} />
        ))}
        {unsent.map((message) => (
          <Unsent key={message.key} room={room} message={message} />
        ))}
      </ul>
    </div>
  );
}

function Message({ message: { from, to, isOwn, text, sentAt } }: { message: ChatMessage }) {
  return (
    <li class={`chat-message ${isOwn ? 'own' : ''} ${to ? 'private' : ''}`}>
      <p class="chat-head">
        <bdi class="chat-name">{isOwn ? t('people.you') : labelOf(from)}</bdi>
        {to && <span class="chat-private">{isOwn ? t('chat.privateTo', { name: labelOf(to) }) : t('chat.privateToYou')}</span>}
        <time dateTime={new Date(sentAt).toISOString()}>{timeText(sentAt)}</time>
      </p>
      <Text text={text} />
    </li>
  );
}

function Unsent({ room, message: { key, to, text, failure } }: { room: Room; message: UnsentMessage }) {
  const { chat } = room.conversation;
  return (
    <li class={`chat-message own unsent ${to ? 'private' : ''}`}>
      <p class="chat-head">
        <bdi class="chat-name">{t('people.you')}</bdi>
        {to && <span class="chat-private">{t('chat.privateTo', { name: labelOf(to) })}</span>}
        {!failure && <span class="quiet">{t('chat.sending')}</span>}
      </p>
      <Text text={text} />
      {failure && (
        <div class="chat-failure">
          <p role="alert">{t('chat.notSent', { reason: reasonText(failure) })}</p>
          <button type="button" class="button small" onClick={() => chat.retry(key)}>
            {t('chat.retry')}
          </button>
          <button type="button" class="button small plain" onClick={() => chat.discard(key)}>
            {t('chat.discard')}
          </button>
        </div>
      )}
    </li>
  );
}

/** Text of a message, with its web addresses as links. */
function Text({ text }: { text: string }) {
  return (
    <p class="chat-text" dir="auto">
      {splitAtLinks(text).map(({ text: part, href }) =>
        href ? (
          <a href={href} target="_blank" rel="noopener noreferrer nofollow">
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </p>
  );
}

function timeText(ms: number): string {
  return new Intl.DateTimeFormat(currentLanguage(), { hour: 'numeric', minute: '2-digit' }).format(ms);
}

/** Keeps a list at its bottom while entries are added, unless the person has scrolled up. */
function useFollowedBottom(count: number) {
  const list = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const scrolled = () => {
      follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < BOTTOM_DISTANCE;
    };
    element.addEventListener('scroll', scrolled);
    return () => element.removeEventListener('scroll', scrolled);
  }, []);
  useLayoutEffect(() => {
    const element = list.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, [count]);
  return list;
}
