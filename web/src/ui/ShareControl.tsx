/** Button to share a screen. While one is shared, it opens a panel to stop it, to change its mode, and to share another. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { SCREENS_MAX, type LocalScreen, type ScreenMode } from '../screenCapture';
import { ScreenIcon } from './icons';
import { Popover } from './Popover';

const MODES: ScreenMode[] = ['text', 'motion'];

export function ShareControl({ app, isViewer }: { app: App; isViewer: boolean }) {
  const { screens } = app;
  const shared = screens.screens.value;
  if (!screens.isSupported || isViewer) return null;
  if (shared.length === 0) {
    return (
      <button type="button" class="round" aria-label={t('controls.shareScreen')} title={t('controls.shareScreen')} onClick={() => void app.shareScreen()}>
        <ScreenIcon />
      </button>
    );
  }
  return (
    <Popover label={t('controls.sharedScreens')} class="round" pressed icon={<ScreenIcon />}>
      {(close) => (
        <>
          {shared.map((screen, index) => (
            <SharedScreen key={screen.id} app={app} screen={screen} title={shared.length > 1 ? t('screen.number', { number: index + 1 }) : t('screen.sharing')} />
          ))}
          {shared.length < SCREENS_MAX && (
            <button
              type="button"
              class="button"
              onClick={() => {
                close();
                void app.shareScreen();
              }}
            >
              {t('screen.another')}
            </button>
          )}
        </>
      )}
    </Popover>
  );
}

function SharedScreen({ app: { screens }, screen, title }: { app: App; screen: LocalScreen; title: string }) {
  return (
    <fieldset class="choices">
      <legend>{title}</legend>
      {MODES.map((mode) => (
        <label class="choice" key={mode}>
          <input
            type="radio"
            name={`mode of ${screen.id}`}
            checked={screen.mode === mode}
            onChange={() => screens.setMode(screen.id, mode)}
          />
          <span>
            {t(`screen.mode.${mode}`)}
            <small>{t(`screen.mode.${mode}.hint`)}</small>
          </span>
        </label>
      ))}
      <button type="button" class="button danger" onClick={() => screens.stop(screen.id)}>
        {t('screen.stop')}
      </button>
    </fieldset>
  );
}
