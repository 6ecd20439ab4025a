/** Buttons of a tile of somebody else: pinning it, and showing it on the full screen. */
import type { CallLayout } from '../callLayout';
import { t } from '../i18n/translate';
import { FullScreenIcon, PinIcon } from './icons';
import { TileButton } from './Tile';

interface TileToolsProps {
  layout: CallLayout;
  tileKey: string;
  label: string;
  /** Whether the tile can fill the screen. */
  canFill: boolean;
}

export function TileTools({ layout, tileKey, label, canFill }: TileToolsProps) {
  const isPinned = layout.pinned.value === tileKey;
  const isFull = layout.fullScreen.value === tileKey;
  return (
    <>
      {!isFull && (
        <TileButton
          label={t(isPinned ? 'tile.unpin' : 'tile.pin', { name: label })}
          pressed={isPinned}
          onClick={() => layout.togglePin(tileKey)}
        >
          <PinIcon />
        </TileButton>
      )}
      {canFill && document.fullscreenEnabled && (
        <TileButton label={isFull ? t('layout.leaveFullScreen') : t('tile.fullScreen', { name: label })} onClick={() => toggleFullScreen(tileKey)}>
          <FullScreenIcon />
        </TileButton>
      )}
    </>
  );
}

/** Shows a tile on the full screen, or ends that. A browser that refuses leaves everything as it is. */
function toggleFullScreen(tileKey: string): void {
  if (document.fullscreenElement) return void document.exitFullscreen().catch(() => undefined);
  const tile = [...document.querySelectorAll<HTMLElement>('.tile')].find(({ dataset }) => dataset.key === tileKey);
  tile?.requestFullscreen().catch(() => undefined);
}
