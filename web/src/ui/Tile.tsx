/** One person on the stage: picture or initials, name, whether they can be heard. */
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import { layerFor, type Rect } from '../layout';
import type { Participant } from '../participant';
import type { Room } from '../room';
import { MicIcon } from './icons';
import { Video } from './Video';

/** Own loudness above which the own tile is marked as speaking; −36 dB. */
const OWN_SPEAKING_LEVEL = 0.4;

export function OtherTile({ room, person, place }: { room: Room; person: Participant; place: Rect }) {
  const layer = layerFor(place.height * devicePixelRatio);
  useEffect(() => room.wantLayer(person, layer), [room, person, layer]);
  const track = person.cameraOn.value ? person.video.value : null;
  return (
    <Tile
      name={person.label}
      caption={person.label}
      place={place}
      muted={!person.microphoneOn.value}
      speaking={person.speaking.value}
    >
      {track && <Video track={track} label={`${person.label}'s camera`} />}
    </Tile>
  );
}

export function OwnTile({ app, place, floating }: { app: App; place: Rect; floating: boolean }) {
  const { capture } = app;
  const name = app.name.value || 'You';
  const track = app.seen.value ? capture.camera.value : null;
  return (
    <Tile
      name={name}
      caption={floating ? 'You' : `${name}${app.name.value ? ' (you)' : ''}`}
      label={`${name} (you)`}
      place={place}
      floating={floating}
      muted={!app.heard.value}
      speaking={capture.level.value > OWN_SPEAKING_LEVEL}
    >
      {track && <Video track={track} mirrored label="Your camera" />}
    </Tile>
  );
}

interface TileProps {
  name: string;
  caption: string;
  label?: string;
  place: Rect;
  muted: boolean;
  speaking: boolean;
  floating?: boolean;
  children: ComponentChildren;
}

function Tile({ name, caption, label = name, place, muted, speaking, floating = false, children }: TileProps) {
  const { x, y, width, height } = place;
  const classes = ['tile', speaking && !muted && 'speaking', floating && 'floating'].filter(Boolean).join(' ');
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
          <span class="tile-muted" role="img" aria-label="Muted">
            <MicIcon off />
          </span>
        )}
        <span class="tile-name">{caption}</span>
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

/** The same name has the same colour on every screen. */
function hueOf(name: string): number {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

function initials(name: string): string {
  const [first = '', ...rest] = name.split(' ').filter(Boolean);
  const letters = [first, rest.at(-1) ?? ''].map((word) => [...word][0] ?? '');
  return letters.join('').toUpperCase();
}
