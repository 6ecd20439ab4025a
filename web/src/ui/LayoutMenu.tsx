/**
 * Menu of what a call shows: how tiles are arranged, hiding the own one, captions, the full screen, the small window, the
 * statistics, and the keyboard shortcuts.
 */
import type { Signal } from '@preact/signals';
import { videoOf, type CallLayout, type LayoutMode } from '../callLayout';
import { t } from '../i18n/translate';
import type { PictureInPicture } from '../pictureInPicture';
import { keyOf } from '../shortcuts';
import { LayoutIcon } from './icons';
import { Popover } from './Popover';

const MODES: LayoutMode[] = ['auto', 'grid', 'speaker'];

interface LayoutMenuProps {
  layout: CallLayout;
  smallWindow: PictureInPicture;
  captionsShown: Signal<boolean>;
  showStats(): void;
  openShortcuts(): void;
}

export function LayoutMenu({ layout, smallWindow, captionsShown, showStats, openShortcuts }: LayoutMenuProps) {
  // A window of kind `video` cannot open without a picture.
  const hasNoPicture = smallWindow.kind === 'video' && !smallWindow.size.value && !videoOf(layout.featured.value)?.track.value;
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
          <label class="choice">
            <input
              type="checkbox"
              checked={captionsShown.value}
              onChange={() => (captionsShown.value = !captionsShown.value)}
            />
            <span>{t('layout.captions')}</span>
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
          {smallWindow.kind && (
            <button
              type="button"
              class="button"
              aria-disabled={hasNoPicture}
              onClick={() => {
                if (hasNoPicture) return;
                smallWindow.toggle();
                close();
              }}
            >
              {t(smallWindow.size.value ? 'layout.closeSmallWindow' : 'layout.smallWindow')}
            </button>
          )}
          <button
            type="button"
            class="button"
            aria-keyshortcuts={keyOf('statistics')}
            onClick={() => {
              close();
              showStats();
            }}
          >
            {t('stats.title')}
          </button>
          <button
            type="button"
            class="button"
            onClick={() => {
              close();
              openShortcuts();
            }}
          >
            {t('shortcuts.title')}
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
