/** Tiles of shared screens, shown whole: those of others, and our own. */
import { useSignal } from '@preact/signals';
import { useCallback } from 'preact/hooks';
import type { App } from '../app';
import type { CallLayout } from '../callLayout';
import { t } from '../i18n/translate';
import type { Participant } from '../participant';
import type { RemoteProducer } from '../remoteProducer';
import type { Room } from '../room';
import type { LocalScreen } from '../screenCapture';
import type { PlacedTile } from '../tileLayout';
import { HeldBackNote } from './HeldBackNote';
import { labelOf } from './messages';
import { Tile } from './Tile';
import { TileTools } from './TileTools';
import { VideoPlayer, type PictureState } from './VideoPlayer';

interface ScreenTileProps {
  room: Room;
  layout: CallLayout;
  participant: Participant;
  producer: RemoteProducer;
  place: PlacedTile;
  isMain: boolean;
}

export function ScreenTile({ room, layout, participant, producer, place, isMain }: ScreenTileProps) {
  const isLoaded = useSignal(false);
  const setPicture = useCallback((state: PictureState) => void (isLoaded.value = state.isLoaded), [isLoaded]);
  const number = participant.screens.value.indexOf(producer) + 1;
  const name = labelOf(participant.identity);
  const label = number > 1 ? t('screen.numberedOf', { name, number }) : t('screen.of', { name });
  const videoLabel = number > 1 ? t('screen.numberedVideo', { name, number }) : t('screen.video', { name });
  const heldBack = producer.track.value ? producer.heldBack.value : null;
  const track = heldBack ? null : producer.track.value;
  const loading = !heldBack && !(track && isLoaded.value);
  return (
    <Tile
      name={label}
      caption={label}
      place={place}
      loading={loading}
      tools={<TileTools layout={layout} tileKey={place.key} label={label} canFill={isMain} />}
    >
      {track && (
        <VideoPlayer
          track={track}
          label={videoLabel}
          whole
          onHeight={(height) => room.consumers.recordPictureHeight(producer, height)}
          onState={setPicture}
        />
      )}
      {loading && <span class="tile-loading" role="img" aria-label={t('screen.loading')} />}
      {heldBack && <HeldBackNote reason={heldBack} />}
    </Tile>
  );
}

export function OwnScreenTile({ app, screen, place }: { app: App; screen: LocalScreen; place: PlacedTile }) {
  const stop = (
    <button type="button" class="button small danger" onClick={() => app.screens.stop(screen.id)}>
      {t('screen.stop')}
    </button>
  );
  return (
    <Tile name={t('screen.own')} caption={t('screen.own')} place={place} tools={stop}>
      <VideoPlayer track={screen.video} label={t('screen.ownVideo')} whole />
    </Tile>
  );
}
