/** A host's request to unmute, over the tiles, with the button that does it. */
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import { labelOf } from './messages';

export function UnmuteRequest({ app, room: { hosting } }: { app: App; room: Room }) {
  const request = hosting.unmuteRequest.value;
  const isOn = app.microphoneLive.value;
  useEffect(() => {
    if (isOn) hosting.dismissUnmuteRequest();
  }, [hosting, request, isOn]);
  if (!request || isOn) return null;
  return (
    <section class="request" aria-label={t('request.label')}>
      <p role="status">
        {request.host ? t('request.unmute', { name: labelOf(request.host) }) : t('request.unmuteByHost')}
      </p>
      <div class="request-buttons">
        <button class="button small" type="button" onClick={() => hosting.dismissUnmuteRequest()}>
          {t('request.notNow')}
        </button>
        <button class="button small primary" type="button" onClick={() => app.toggle('microphone')}>
          {t('request.unmuteAccept')}
        </button>
      </div>
    </section>
  );
}
