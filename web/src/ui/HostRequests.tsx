/** Pending requests to a host, as one line over the tiles; the participants panel lists them all. */
import type { ComponentChildren } from 'preact';
import { t, tx } from '../i18n/translate';
import type { Named } from '../notifications';
import type { Room } from '../room';
import { labelOf } from './messages';

export function HostRequests({ room, showPanel }: { room: Room; showPanel(): void }) {
  const { moderation } = room;
  const [joining, ...moreJoining] = moderation.joinRequests.value;
  const [speaking, ...moreSpeaking] = moderation.speakRequests.value;
  if (joining && moreJoining.length > 0) {
    return <SeveralRequests text={t('request.manyWait', { count: moreJoining.length + 1 })} showPanel={showPanel} />;
  }
  if (joining) {
    return (
      <SingleRequest requester={joining} text="request.waits">
        <button class="button small" type="button" onClick={() => moderation.deny(joining)}>
          {t('request.deny')}
        </button>
        <button class="button small primary" type="button" onClick={() => moderation.admit(joining)}>
          {t('request.admit')}
        </button>
      </SingleRequest>
    );
  }
  if (speaking && moreSpeaking.length > 0) {
    return <SeveralRequests text={t('request.manyAsk', { count: moreSpeaking.length + 1 })} showPanel={showPanel} />;
  }
  if (speaking) {
    return (
      <SingleRequest requester={speaking} text="request.asks">
        <button class="button small" type="button" onClick={() => moderation.dismissSpeakRequest(speaking.id)}>
          {t('request.notNow')}
        </button>
        <button class="button small primary" type="button" onClick={() => moderation.promote(speaking.id)}>
          {t('request.allow')}
        </button>
      </SingleRequest>
    );
  }
  return null;
}

interface SingleRequestProps {
  requester: Named;
  text: 'request.waits' | 'request.asks';
  children: ComponentChildren;
}

function SingleRequest({ requester, text, children }: SingleRequestProps) {
  const label = labelOf(requester);
  return (
    <section class="request" aria-label={t('request.label')}>
      <p role="status">
        {tx(text, { name: <strong><bdi>{label}</bdi></strong> })}
      </p>
      <div class="request-buttons" role="group" aria-label={label}>
        {children}
      </div>
    </section>
  );
}

function SeveralRequests({ text, showPanel }: { text: string; showPanel(): void }) {
  return (
    <section class="request" aria-label={t('request.label')}>
      <p role="status">{text}</p>
      <div class="request-buttons">
        <button class="button small primary" type="button" onClick={showPanel}>
          {t('request.show')}
        </button>
      </div>
    </section>
  );
}
