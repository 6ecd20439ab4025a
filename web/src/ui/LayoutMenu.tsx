/** Menu of what a call shows: how tiles are arranged, hiding the own one, the full screen, and the statistics. */
import type { CallLayout, LayoutMode } from '../callLayout';
import { t } from '../i18n/translate';
import { LayoutIcon } from './icons';
import { Popover } from './Popover';

const MODES: LayoutMode[] = ['auto', 'grid', 'speaker'];

export function LayoutMenu({ layout, showStats }: { layout: CallLayout; showStats(): void }) {
  return (
    <Popover label={t('layout.title')} class="chip" icon={<LayoutIcon />}>
      {(close) => (
        <>
          <fieldset class="choices">
            <legend>{t('layout.title')}</legend>
            {MODES.map((mode) => (
              <label class="choice" key={mode}>
                <input
                  type="radio"
                  name="layout"
                  checked={layout.mode.value === mode}
                  onChange={() => layout.setMode(mode)}
                />
                <span>
                  {t(`layout.mode.${mode}`)}
                  <small>{t(`layout.mode.${mode}.hint`)}</small>
                </span>
              </label>
            ))}
          </fieldset>
          <label class="choice">
            <input
              type="checkbox"
              checked={layout.isOwnTileHidden.value}
              onChange={() => (layout.isOwnTileHidden.value = !layout.isOwnTileHidden.value)}
            />
            <span>{t('layout.hideOwn')}</span>
          </label>
          {document.fullscreenEnabled && (
            <button
              type="button"
              class="button"
              onClick={() => {
                toggleFullScreen();
                close();
              }}
            >
              {t(document.fullscreenElement ? 'layout.leaveFullScreen' : 'layout.fullScreen')}
            </button>
          )}
          <button
            type="button"
            class="button"
            aria-keyshortcuts="s"
            onClick={() => {
              close();
              showStats();
            }}
          >
            {t('stats.title')}
          </button>
        </>
      )}
    </Popover>
  );
}

/** Shows the whole page on the full screen, or ends that. */
export function toggleFullScreen(): void {
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  // A browser that refuses leaves everything as it is.
  change.catch(() => undefined);
}
