/** Tile of one participant: video or initials, name, and whether it is muted or speaking. */
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import { t } from '../i18n/translate';
import { spatialLayerFor, type Rect } from '../tileLayout';
import type { Participant } from '../participant';
import type { Room } from '../room';
import { MicIcon, SpeakingIcon } from './icons';
import { causeText, heldBackText, labelOf, ownCauseText } from './messages';
import { QualityMark } from './QualityMark';
import { VideoPlayer } from './VideoPlayer';

interface ParticipantTileProps {
  app: App;
  room: Room;
  participant: Participant;
  rect: Rect;
}

export function ParticipantTile({ app, room, participant, rect }: ParticipantTileProps) {
  const label = labelOf(participant.identity);
  const layer = spatialLayerFor(rect.height * devicePixelRatio);
  useEffect(() => room.setWantedLayer(participant, layer), [room, participant, layer]);
  const camera = participant.cameraOn.value ? participant.video.value : null;
  const heldBack = camera && participant.videoHeldBack.value;
  const track = heldBack ? null : camera;
  const paused = app.saveData.value && participant.sendsCamera.value && !camera;
  const cause = heldBack ? null : participant.cause.value;
  return (
    <Tile
      name={label}
      caption={label}
      rect={rect}
      muted={!participant.microphoneOn.value}
      speaking={room.activeSpeaker.value === participant.id}
    >
      {track && <VideoPlayer track={track} label={t('people.camera', { name: label })} />}
      {heldBack && (
        <p class="tile-note">
          {heldBackText(heldBack).reason}
          <span> {heldBackText(heldBack).outlook}</span>
        </p>
      )}
      {paused && <p class="tile-note">{t('tile.notReceiving')}</p>}
      {cause && <QualityMark reason={causeText(cause, label)} />}
    </Tile>
  );
}

interface OwnTileProps {
  app: App;
  room: Room;
  rect: Rect;
  floating: boolean;
}

export function OwnTile({ app, room, rect, floating }: OwnTileProps) {
  const { capture } = app;
  const name = app.name.value || t('people.you');
  const named = t('people.youNamed', { name });
  const track = app.cameraLive.value ? capture.camera.value : null;
  const paused = app.cameraPaused.value && room.role.value !== 'viewer';
  const cause = room.quality.own.value;
  return (
    <Tile
      name={name}
      caption={floating || !app.name.value ? t('people.you') : named}
      label={named}
      rect={rect}
      floating={floating}
      muted={!app.microphoneLive.value}
      speaking={room.isSpeaking}
    >
      {track && <VideoPlayer track={track} mirrored label={t('device.yourCamera')} />}
      {paused && <p class="tile-note">{t('tile.ownPaused')}</p>}
      {cause && <QualityMark reason={ownCauseText(cause)} />}
    </Tile>
  );
}

interface TileProps {
  name: string;
  caption: string;
  label?: string;
  rect: Rect;
  muted: boolean;
  speaking: boolean;
  floating?: boolean;
  children: ComponentChildren;
}

function Tile({ name, caption, label = name, rect, muted, speaking, floating = false, children }: TileProps) {
  const { x, y, width, height } = rect;
  const marked = speaking && !muted;
  const classes = ['tile', marked && 'speaking', floating && 'floating'].filter(Boolean).join(' ');
  return (
    <figure
      class={classes}
      aria-label={label}
      style={{ transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` }}
    >
      <Avatar name={name} size={Math.min(width, height)} />
      {children}
      <figcaption>
        {muted && (
          <span class="tile-muted" role="img" aria-label={t('people.muted')}>
            <MicIcon off />
          </span>
        )}
        {marked && (
          <span class="tile-speaking" role="img" aria-label={t('people.speaking')}>
            <SpeakingIcon />
          </span>
        )}
        <span class="tile-name isolated">{caption}</span>
      </figcaption>
    </figure>
  );
}

export function Avatar({ name, size }: { name: string; size: number }) {
  const diameter = Math.round(Math.max(28, Math.min(144, size * 0.36)));
  return (
    <div
      class={`avatar hue-${hueOf(name)}`}
      aria-hidden="true"
      style={{ width: `${diameter}px`, height: `${diameter}px`, fontSize: `${Math.round(diameter * 0.4)}px` }}
    >
      {initials(name)}
    </div>
  );
}

const HUES = 6;

/** Returns the colour number of a name; the same for all participants. */
function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

function initials(name: string): string {
  const [first = '', ...rest] = name.split(' ').filter(Boolean);
  const characters = [first, rest.at(-1) ?? ''].map((word) => [...word][0] ?? '');
  return characters.join('').toUpperCase();
}
