/** State of the connection: a word in the header, and over the tiles what is wrong and what to do. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import { Banner } from './Banner';
import { SoundIcon } from './icons';

export function ConnectionStatus({ room }: { room: Room }) {
  const [tone, text] = stateOf(room);
  return (
    <p class={`connection ${tone}`} role="status" aria-label={t('connection.label')}>
      <span class="dot" aria-hidden="true" />
      <span class="connection-text">{text}</span>
    </p>
  );
}

function stateOf(room: Room): ['good' | 'waiting' | 'bad', string] {
  const status = room.status.value;
  if (status === 'joining') return ['waiting', t('connection.joining')];
  if (isBlocked(room)) return ['bad', t('connection.blocked')];
  if (room.reconnecting.value) return ['bad', t('connection.reconnecting')];
  if (room.serverSilent.value) return ['bad', t('connection.silent')];
  if (room.recovery.impaired.value) return ['bad', t('connection.impaired')];
  return ['good', t('connection.live')];
}

/** Whether only media does not get through, whichever attempt to connect it goes on. */
function isBlocked({ recovery, connected, serverSilent }: Room): boolean {
  return recovery.blocked.value && connected.value && !serverSilent.value;
}

/** A present problem, with the button that may solve it. */
export function ConnectionBanner({ app, room }: { app: App; room: Room }) {
  if (isBlocked(room)) {
    return (
      <Banner role="alert" button={t('banner.tryAgain')} onClick={() => room.retryMedia()}>
        {t('banner.blocked')}
      </Banner>
    );
  }
  if (room.reconnecting.value) {
    return (
      <Banner role="alert" button={t('banner.tryNow')} onClick={() => room.retryNow()}>
        {t(room.wasAsleep.value ? 'banner.asleep' : 'banner.reconnecting')}
      </Banner>
    );
  }
  if (room.serverSilent.value) {
    return (
      <Banner role="alert" button={t('banner.reconnect')} onClick={() => room.retryNow()}>
        {t('banner.silent')}
      </Banner>
    );
  }
  if (app.audioBlocked.value) {
    return (
      <Banner role="alert" button={t('banner.playSound')} icon={<SoundIcon />} onClick={() => (app.audioBlocked.value = false)}>
        {t('banner.audioBlocked')}
      </Banner>
    );
  }
  return null;
}
