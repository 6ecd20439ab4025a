/** Frame of a tile: initials, what lies over them, buttons, and the name with its marks. */
import type { ComponentChildren } from 'preact';
import { t } from '../i18n/translate';
import type { PlacedTile } from '../tileLayout';
import { MicIcon, ScreenIcon, SpeakingIcon, SpotlightIcon } from './icons';

export interface TileProps {
  name: string;
  caption: string;
  label?: string;
  place: PlacedTile;
  /** What is said of a person; absent for a screen. */
  person?: { muted: boolean; speaking: boolean; spotlit: boolean };
  /** Whether a picture is on its way. */
  loading?: boolean;
  frozen?: boolean;
  /** Buttons in the corner. */
  tools?: ComponentChildren;
  children: ComponentChildren;
}

export function Tile({ name, caption, label = name, place, person, loading = false, frozen = false, tools, children }: TileProps) {
  const { x, y, width, height } = place.rect;
  const speaking = person?.speaking === true && !person.muted;
  const states = { speaking, floating: place.floating, loading, frozen, screen: !person };
  const classes = ['tile', ...Object.entries(states).flatMap(([name, is]) => (is ? [name] : []))].join(' ');
  return (
    <figure
      class={classes}
      aria-label={label}
      data-key={place.key}
      style={{ transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` }}
    >
      {person && <Avatar name={name} size={Math.min(width, height)} />}
      {children}
      {tools && <div class="tile-tools">{tools}</div>}
      <figcaption>
        {person?.muted && (
          <span class="tile-muted" role="img" aria-label={t('people.muted')}>
            <MicIcon off />
          </span>
        )}
        {speaking && (
          <span class="tile-speaking" role="img" aria-label={t('people.speaking')}>
            <SpeakingIcon />
          </span>
        )}
        {person?.spotlit && (
          <span class="tile-spotlit" role="img" aria-label={t('people.spotlit')} title={t('people.spotlit')}>
            <SpotlightIcon />
          </span>
        )}
        {!person && <ScreenIcon />}
        <span class="tile-name isolated">{caption}</span>
      </figcaption>
    </figure>
  );
}

interface TileButtonProps {
  label: string;
  pressed?: boolean;
  children: ComponentChildren;
  onClick(): void;
}

export function TileButton({ label, pressed, children, onClick }: TileButtonProps) {
  return (
    <button type="button" class="tile-button" aria-label={label} title={label} aria-pressed={pressed} onClick={onClick}>
      {children}
    </button>
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
