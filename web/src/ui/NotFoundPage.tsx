/** Page for an address at which there is nothing. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { Brand } from './Brand';

export function NotFoundPage({ app }: { app: App }) {
  return (
    <div class="outside">
      <Brand />
      <main class="left-main">
        <h1>{t('notFound.title')}</h1>
        <p class="lead">{t('notFound.lead')}</p>
        <button class="button primary large" type="button" onClick={() => app.showLanding()}>
          {t('left.home')}
        </button>
      </main>
    </div>
  );
}
