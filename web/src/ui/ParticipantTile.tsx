/** Tile of another participant: the camera or initials, and why it is not seen or heard well. */
import { useSignal } from '@preact/signals';
import { useCallback } from 'preact/hooks';
import type { App } from '../app';
import type { CallLayout } from '../callLayout';
import { t } from '../i18n/translate';
import type { Participant } from '../participant';
import type { Room } from '../room';
import type { PlacedTile } from '../tileLayout';
import { causeText, labelOf } from './messages';
import { HeldBackNote } from './HeldBackNote';
import { QualityMark } from './QualityMark';
import { Tile } from './Tile';
import { TileSigns } from './TileSigns';
import { TileTools } from './TileTools';
import { VideoPlayer, type PictureState } from './VideoPlayer';

interface ParticipantTileProps {
  app: App;
  room: Room;
  layout: CallLayout;
  participant: Participant;
  place: PlacedTile;
  isMain: boolean;
}

export function ParticipantTile({ app, room, layout, participant, place, isMain }: ParticipantTileProps) {
  const picture = useSignal<PictureState>({ isLoaded: false, frozenS: 0 });
  const setPicture = useCallback((state: PictureState) => void (picture.value = state), [picture]);
  const label = labelOf(participant.identity);
  const camera = participant.cameraOn.value ? participant.camera.value : null;
  const heldBack = camera?.track.value ? camera.heldBack.value : null;
  const track = heldBack ? null : (camera?.track.value ?? null);
  const isRefused = camera !== null && app.saveData.value;
  const loading = camera !== null && !isRefused && !heldBack && !(track && picture.value.isLoaded);
  const frozenS = track ? picture.value.frozenS : 0;
  const interrupted = participant.interrupted.value;
  const cause = heldBack || interrupted ? null : participant.cause.value;
  return (
    <Tile
      name={label}
      caption={label}
      place={place}
      person={{
        muted: !participant.microphoneOn.value,
        speaking: room.speakers.marked.value.has(participant.id),
        spotlit: room.hosting.spotlight.value === participant.id,
      }}
      loading={loading}
      frozen={frozenS > 0 || interrupted}
      tools={<TileTools layout={layout} tileKey={place.key} label={label} canFill={isMain && track !== null} />}
    >
      {track && camera && (
        <VideoPlayer
          track={track}
          label={t('people.camera', { name: label })}
          onHeight={(height) => room.consumers.recordPictureHeight(camera, height)}
          onState={setPicture}
        />
      )}
      {loading && <span class="tile-loading" role="img" aria-label={t('tile.loading')} />}
      {interrupted && (
        <p class="tile-note" role="status">
          {t('tile.interrupted', { name: label })}
        </p>
      )}
      {!interrupted && frozenS > 0 && <p class="tile-note">{t('tile.frozen', { seconds: frozenS })}</p>}
      {heldBack && !interrupted && <HeldBackNote reason={heldBack} />}
      {isRefused && !interrupted && <p class="tile-note">{t('tile.notReceiving')}</p>}
      <TileSigns room={room} id={participant.id} />
      {cause && <QualityMark reason={causeText(cause, label)} onClick={() => (app.statsShown.value = true)} />}
    </Tile>
  );
}
