/** Contents of the small window of a call: the large tile or who speaks, and buttons to mute and to leave. */
import { useSignalEffect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { App } from '../app';
import { OWN_KEY, videoOf, type CallLayout } from '../callLayout';
import { LANGUAGES } from '../i18n/languages';
import { currentLanguage } from '../i18n/translate';
import { PictureInPicture } from '../pictureInPicture';
import type { Room } from '../room';
import type { Size } from '../tileLayout';
import { LeaveButton, MicrophoneControl } from './CallControls';
import { ConnectionStatus } from './ConnectionStatus';
import { ContentTile } from './ContentTile';
import { OwnTile } from './OwnTile';

/** Height of the row of buttons in CSS pixels. */
const CONTROLS_HEIGHT = 76;

interface SmallWindowProps {
  app: App;
  room: Room;
  layout: CallLayout;
}

/** Returns the small window of a call, which shows its contents while it is open and closes with the call. */
export function useSmallWindow({ app, room, layout }: SmallWindowProps): PictureInPicture {
  const pictureInPicture = useMemo(() => new PictureInPicture(), [room]);
  useEffect(() => () => pictureInPicture.close(), [pictureInPicture]);
  useSignalEffect(() => {
    layout.smallWindowHeight.value = pictureInPicture.size.value?.height ?? 0;
  });
  useSignalEffect(() => pictureInPicture.setTrack(videoOf(layout.featured.value)?.track.value ?? null));
  const opened = pictureInPicture.window.value;
  useEffect(() => {
    if (!opened) return;
    const { body } = opened.document;
    render(<SmallWindow app={app} room={room} layout={layout} pictureInPicture={pictureInPicture} />, body);
    return () => render(null, body);
  }, [opened]);
  return pictureInPicture;
}

function SmallWindow({ app, room, layout, pictureInPicture }: SmallWindowProps & { pictureInPicture: PictureInPicture }) {
  const language = currentLanguage();
  const opened = pictureInPicture.window.value;
  useEffect(() => {
    if (!opened) return;
    opened.document.title = document.title;
    opened.document.documentElement.lang = language;
    opened.document.documentElement.dir = LANGUAGES[language].direction;
  }, [opened, language]);
  const size = pictureInPicture.size.value;
  return (
    <main class="small-window">
      <section class="small-window-picture">{size && <Picture app={app} room={room} layout={layout} size={size} />}</section>
      <ConnectionStatus room={room} />
      <div class="controls">
        <MicrophoneControl app={app} isViewer={room.role.value === 'viewer'} />
        <LeaveButton app={app} />
      </div>
    </main>
  );
}

function Picture({ app, room, layout, size: { width, height } }: SmallWindowProps & { size: Size }) {
  const content = layout.featured.value;
  const rect = { x: 0, y: 0, width, height: Math.max(0, height - CONTROLS_HEIGHT) };
  if (!content) return <OwnTile app={app} room={room} place={{ key: OWN_KEY, rect, floating: false }} />;
  return <ContentTile key={content.key} app={app} room={room} layout={layout} content={content} place={{ key: content.key, rect, floating: false }} isMain={false} />;
}
