/** The person's own tile: the camera as in a mirror, and whether others hear and see them well. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import type { PlacedTile } from '../tileLayout';
import { ownCauseText } from './messages';
import { QualityMark } from './QualityMark';
import { Tile } from './Tile';
import { TileSigns } from './TileSigns';
import { VideoPlayer } from './VideoPlayer';

export function OwnTile({ app, room, place }: { app: App; room: Room; place: PlacedTile }) {
  const name = app.name.value || t('people.you');
  const named = t('people.youNamed', { name });
  const track = app.cameraLive.value ? app.background.track.value : null;
  const paused = app.cameraPaused.value && room.role.value !== 'viewer';
  const cause = room.quality.own.value;
  return (
    <Tile
      name={name}
      caption={place.floating || !app.name.value ? t('people.you') : named}
      label={named}
      place={place}
      person={{ muted: !app.microphoneLive.value, speaking: room.isSpeaking, spotlit: room.hosting.spotlight.value === room.ownId }}
    >
      {track && <VideoPlayer track={track} mirrored label={t('device.yourCamera')} />}
      {paused && <p class="tile-note">{t('tile.ownPaused')}</p>}
      <TileSigns room={room} id={room.conversation.ownId} />
      {cause && <QualityMark reason={ownCauseText(cause)} onClick={() => (app.statsShown.value = true)} />}
    </Tile>
  );
}
