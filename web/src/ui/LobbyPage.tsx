/** Page before joining: preview, devices and name. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { PERSON_NAME_MAX, cleanText, lengthOf } from '../pageUrl';
import { Brand } from './Brand';
import { DevicePickers } from './DevicePickers';
import { SaveDataField } from './SaveDataField';
import { SpeakerPicker } from './SpeakerPicker';
import { TextField } from './TextField';
import { AlertIcon } from './icons';
import { DevicePreview } from './DevicePreview';
import { joinFailureText } from './messages';

export function LobbyPage({ app }: { app: App }) {
  const { capture } = app;
  const nameIsTooLong = lengthOf(cleanText(app.name.value)) > PERSON_NAME_MAX;
  const join = (event: Event) => {
    event.preventDefault();
    if (!nameIsTooLong) void app.join();
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
              <bdi>{app.roomTitle.value}</bdi>
            </h1>
          </div>
          {failure && (
            <p class="alert" role="alert">
              <AlertIcon />
              <span>{joinFailureText(failure, app.token.value !== '')}</span>
            </p>
          )}
          {app.otherTabs.isPresent.value && (
            <p class="quiet" role="status">
              {t('lobby.otherTab')}
            </p>
          )}
          <TextField
            label={t('lobby.yourName')}
            value={app.name.value}
            placeholder={t('lobby.namePlaceholder')}
            problem={nameIsTooLong ? t('field.tooLong', { max: PERSON_NAME_MAX }) : ''}
            autocomplete="name"
            autofocus
            onInput={(value) => (app.name.value = value)}
          />
          <div class="devices">
            <DevicePickers capture={capture} />
            <SpeakerPicker output={capture.output} />
          </div>
          <SaveDataField app={app} />
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
