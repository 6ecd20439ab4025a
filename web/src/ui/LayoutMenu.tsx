/**
 * Menu of what a call shows: how tiles are arranged, hiding the own one, captions, the full screen, the small window, the
 * statistics, and the keyboard shortcuts.
 */
import type { Signal } from '@preact/signals';
import { videoOf, type CallLayout, type LayoutMode } from '../callLayout';
import { t } from '../i18n/translate';
import type { PictureInPicture } from '../pictureInPicture';
import { keyOf, type ShortcutAction } from '../shortcuts';
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
            <MenuButton
              text={t(document.fullscreenElement ? 'layout.leaveFullScreen' : 'layout.fullScreen')}
              shortcut="fullScreen"
              close={close}
              onClick={toggleFullScreen}
            />
          )}
          {smallWindow.kind && (
            <MenuButton
              text={t(smallWindow.size.value ? 'layout.closeSmallWindow' : 'layout.smallWindow')}
              unavailable={hasNoPicture}
              close={close}
              onClick={() => smallWindow.toggle()}
            />
          )}
          <MenuButton text={t('stats.title')} shortcut="statistics" close={close} onClick={showStats} />
          <MenuButton text={t('shortcuts.title')} shortcut="sheet" close={close} onClick={openShortcuts} />
        </>
      )}
    </Popover>
  );
}

interface MenuButtonProps {
  text: string;
  shortcut?: ShortcutAction;
  /** Keeps focus and label, but does nothing. */
  unavailable?: boolean;
  /** Closes the menu. */
  close(): void;
  onClick(): void;
}

/** Button of the menu, which it closes. */
function MenuButton({ text, shortcut, unavailable = false, close, onClick }: MenuButtonProps) {
  return (
    <button
      type="button"
      class="button"
      aria-disabled={unavailable}
      aria-keyshortcuts={shortcut && keyOf(shortcut)}
      onClick={() => {
        if (unavailable) return;
        // Focus returns from the menu before what it opens takes it.
        close();
        onClick();
      }}
    >
      {text}
    </button>
  );
}

/** Shows the whole page on the full screen, or ends that. */
export function toggleFullScreen(): void {
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  // A browser that refuses leaves everything as it is.
  change.catch(() => undefined);
}
