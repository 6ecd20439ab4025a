/** A tile of the stage or of the small window, by what it shows. */
import type { App } from '../app';
import type { CallLayout, StageTile } from '../callLayout';
import type { Room } from '../room';
import type { PlacedTile } from '../tileLayout';
import { ParticipantTile } from './ParticipantTile';
import { OwnScreenTile, ScreenTile } from './ScreenTile';

interface ContentTileProps {
  app: App;
  room: Room;
  layout: CallLayout;
  content: StageTile;
  place: PlacedTile;
  isMain: boolean;
}

export function ContentTile({ app, room, layout, content, place, isMain }: ContentTileProps) {
  switch (content.kind) {
    case 'person':
      return <ParticipantTile app={app} room={room} layout={layout} participant={content.participant} place={place} isMain={isMain} />;
    case 'screen':
      return <ScreenTile room={room} layout={layout} participant={content.participant} producer={content.producer} place={place} isMain={isMain} />;
    case 'own-screen':
      return <OwnScreenTile app={app} screen={content.screen} place={place} />;
  }
}
