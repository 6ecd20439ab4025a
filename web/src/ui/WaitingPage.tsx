/** Page shown while a host decides whether the person may join. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import { Brand } from './Brand';
import { DevicePreview } from './DevicePreview';

export function WaitingPage({ app, room }: { app: App; room: Room }) {
  const state = !room.connected.value ? 'disconnected' : room.hostPresent.value ? 'hostKnows' : 'noHost';
  return (
    <div class="outside">
      <Brand />
      <main class="lobby-main">
        <DevicePreview app={app} />
        <section class="card lobby-form" aria-label={t('waiting.label')}>
          <div>
            <p class="eyebrow">{t('waiting.atTheDoor')}</p>
            <p class="room-name">
              <bdi>{app.roomTitle.value}</bdi>
            </p>
          </div>
          <div class="waiting" role="status">
            <span class="dots" aria-hidden="true">
              <span />
              <span />
              <span />
            </span>
            <h1 class="waiting-title">{t('waiting.title')}</h1>
            <p class="quiet">
              {t(`waiting.${state}`)}
            </p>
          </div>
          <button class="button large" type="button" onClick={() => app.leave()}>
            {t('controls.leave')}
          </button>
        </section>
      </main>
    </div>
  );
}
