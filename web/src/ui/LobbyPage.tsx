/** Page before joining: preview, devices and name. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { PERSON_NAME_MAX } from '../pageUrl';
import { Brand } from './Brand';
import { DevicePickers } from './DevicePickers';
import { TextField } from './TextField';
import { AlertIcon } from './icons';
import { DevicePreview } from './DevicePreview';
import { joinFailureText } from './messages';

export function LobbyPage({ app }: { app: App }) {
  const { capture } = app;
  const join = (event: Event) => {
    event.preventDefault();
    void app.join();
  };
  const failure = app.failure.value;
  return (
    <div class="outside">
      <Brand />
      <main class="lobby-main">
        <DevicePreview app={app} joining />
        <form class="card lobby-form" onSubmit={join}>
          <div>
            <p class="eyebrow">{t('lobby.aboutToJoin')}</p>
            <h1 class="room-name">
              <bdi>{app.roomId.value}</bdi>
            </h1>
          </div>
          {failure && (
            <p class="alert" role="alert">
              <AlertIcon />
              <span>{joinFailureText(failure, app.token.value !== '')}</span>
            </p>
          )}
          <TextField
            label={t('lobby.yourName')}
            value={app.name.value}
            placeholder={t('lobby.namePlaceholder')}
            lengthMax={PERSON_NAME_MAX}
            autocomplete="name"
            autofocus
            onInput={(value) => (app.name.value = value)}
          />
          <DevicePickers capture={capture} />
          <button class="button primary large" type="submit">
            {t('lobby.join')}
          </button>
          <button class="button plain" type="button" onClick={() => app.showLanding()}>
            {t('lobby.otherRoom')}
          </button>
        </form>
      </main>
    </div>
  );
}
