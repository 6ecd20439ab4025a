/** Page after the call: the person left or was removed, or the room was closed. */
import type { App } from '../app';
import { t, tx } from '../i18n/translate';
import { Brand } from './Brand';

export function LeftPage({ app }: { app: App }) {
  const end = app.removal.value ?? 'left';
  // Joining again makes no sense after a removal, or when the room is closed.
  const rejoinLabel = end === 'removed' || end === 'room-closed' || end === 'ended' ? '' : t(`left.${end}.rejoin`);
  const room = (
    <strong>
      <bdi>{app.roomTitle.value}</bdi>
    </strong>
  );
  return (
    <div class="outside">
      <Brand />
      <main class="left-main">
        <h1>{t(`left.${end}.title`)}</h1>
        <p class="lead">{tx(`left.${end}.lead`, { room })}</p>
        <div class="row">
          {rejoinLabel && (
            <button class="button primary large" type="button" onClick={() => void app.join()}>
              {rejoinLabel}
            </button>
          )}
          <button class={`button large ${rejoinLabel ? '' : 'primary'}`} type="button" onClick={() => app.showLanding()}>
            {t('left.home')}
          </button>
        </div>
      </main>
    </div>
  );
}
