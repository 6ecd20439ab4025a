/**
 * What the person sees of a call: which tiles there are, which one is large, which page is shown. Touches no DOM.
 *
 * A screen that is shared is shown large by itself, unless the person has chosen the grid or pinned something else. Whom a
 * host shows large comes before both, and what the person has pinned before that.
 */
import { signal } from '@preact/signals-core';
import type { Participant } from './participant';
import type { RemoteProducer } from './remoteProducer';
import type { LocalScreen } from './screenCapture';
import { layoutStage, type Size, type StageContents, type StageLayout } from './tileLayout';
import { TileOrder } from './tileOrder';

/** How tiles are arranged: `auto` is a grid, or the latest screen beside a strip; `speaker` who speaks, likewise. */
export type LayoutMode = 'auto' | 'grid' | 'speaker';

/** What a tile shows. */
export type StageTile =
  | { key: string; kind: 'person'; participant: Participant }
  | { key: string; kind: 'screen'; participant: Participant; producer: RemoteProducer }
  | { key: string; kind: 'own-screen'; screen: LocalScreen };

export const OWN_KEY = 'own';

/** Height of a shared screen that fills a tile, as a share of its width: most are 16:9 or 16:10. */
const SCREEN_ASPECT = 9 / 16;

/** What is in the call. */
export interface CallContents {
  participants: readonly Participant[];
  ownScreens: readonly LocalScreen[];
  /** Id of the participant who is speaking; null in silence. */
  speaker: string | null;
  /** Id of the participant whom a host shows large to everybody; null without one. */
  spotlight: string | null;
}

/** The stage at one moment. */
export interface Stage extends StageLayout {
  /** Contents of all tiles but the own one, in a lasting order. */
  contents: StageTile[];
  /** Key of the large tile; null for a grid. */
  mainKey: string | null;
  /** The tile that a small window shows: the large one, or else who speaks; null without others. */
  featured: StageTile | null;
}

export class CallLayout {
  readonly mode = signal<LayoutMode>('auto');
  /** Key of the tile that the person has pinned; null without one. */
  readonly pinned = signal<string | null>(null);
  readonly page = signal(0);
  readonly isOwnTileHidden = signal(false);
  /** Key of the tile that fills the whole screen; null without one. */
  readonly fullScreen = signal<string | null>(null);
  /** The tile that the small window shows, as arranged last; null without others. */
  readonly featured = signal<StageTile | null>(null);
  /** Height of the small window in CSS pixels; 0 while it is closed. */
  readonly smallWindowHeight = signal(0);

  private readonly order = new TileOrder();
  private speakerKey: string | null = null;
  private mainKey: string | null = null;

  setMode(mode: LayoutMode): void {
    this.mode.value = mode;
    this.pinned.value = null;
    this.page.value = 0;
  }

  togglePin(key: string): void {
    this.pinned.value = this.pinned.value === key ? null : key;
    this.page.value = 0;
  }

  /** Lays out the tiles. The same contents give the same result. */
  arrange(call: CallContents, viewport: Size, gap: number): Stage {
    const contents = tilesOf(call);
    const ordered = contents.map(({ key, kind }) => ({ key, isScreen: kind !== 'person' }));
    const keys = this.order.update(ordered);
    this.recordSpeaker(call.speaker, contents);
    const main = this.chooseMain(call, contents, keys);
    // Who is shown large changes places with the one before, so that the others stay where they are.
    if (main?.kind === 'person' && this.mainKey !== null && this.mainKey !== main.key) this.order.swap(main.key, this.mainKey);
    this.mainKey = main?.key ?? null;
    const isOwnHidden = this.isOwnTileHidden.value && contents.length > 0;
    const stage = (): StageContents => ({
      keys: this.order.update(ordered).filter((key) => key !== main?.key),
      own: isOwnHidden ? null : OWN_KEY,
      main: main && { key: main.key, isScreen: main.kind !== 'person' },
      page: this.page.value,
    });
    let layout = layoutStage(stage(), viewport, gap);
    if (this.bringSpeakerForward(layout, contents)) layout = layoutStage(stage(), viewport, gap);
    return { ...layout, contents, mainKey: this.mainKey, featured: this.chooseFeatured(main, contents, keys) };
  }

  private recordSpeaker(speaker: string | null, contents: readonly StageTile[]): void {
    const tile = contents.find((it) => it.kind === 'person' && it.participant.id === speaker);
    if (!tile) return;
    this.speakerKey = tile.key;
    this.order.recordSpeaker(tile.key);
  }

  private chooseMain({ spotlight }: CallContents, contents: readonly StageTile[], keys: readonly string[]): StageTile | null {
    const byKey = (key: string | null | undefined) => contents.find((it) => it.key === key) ?? null;
    const mode = this.mode.value;
    const spotlit = contents.find((it) => it.kind === 'person' && it.participant.id === spotlight) ?? null;
    const chosen = byKey(this.pinned.value) ?? spotlit;
    if (chosen || mode === 'grid') return chosen;
    const screen = contents.findLast(({ kind }) => kind === 'screen');
    if (screen || mode === 'auto') return screen ?? null;
    return this.chooseSpeaker(contents, keys);
  }

  /** Returns who speaks or spoke last, or else the first participant. */
  private chooseSpeaker(contents: readonly StageTile[], keys: readonly string[]): StageTile | null {
    const people = contents.filter(({ kind }) => kind === 'person');
    const byKey = (key: string) => people.find((it) => it.key === key);
    return (this.speakerKey && byKey(this.speakerKey)) || keys.map(byKey).find(Boolean) || null;
  }

  /** An own screen would show the small window in itself. */
  private chooseFeatured(main: StageTile | null, contents: readonly StageTile[], keys: readonly string[]): StageTile | null {
    return main && main.kind !== 'own-screen' ? main : this.chooseSpeaker(contents, keys);
  }

  /** Makes the first page show who speaks. Returns whether that changed the order. */
  private bringSpeakerForward({ page, pages, tiles }: StageLayout, contents: readonly StageTile[]): boolean {
    const { speakerKey } = this;
    const isPerson = (key: string) => contents.some((it) => it.key === key && it.kind === 'person');
    if (page > 0 || pages === 1 || !speakerKey || speakerKey === this.mainKey || !isPerson(speakerKey)) return false;
    const shown = tiles.map(({ key }) => key).filter((key) => key !== this.mainKey && isPerson(key));
    if (shown.includes(speakerKey)) return false;
    this.order.bringForward(speakerKey, shown);
    return true;
  }

  /** Returns the height in device pixels at which each video of others is shown, by producer id. */
  shownHeights({ tiles, contents, featured }: Stage, screen: Size, pixelRatio: number): Map<string, number> {
    const heights = new Map<string, number>();
    for (const content of contents) {
      const tile = tiles.find(({ key }) => key === content.key);
      const producer = producerOf(content);
      if (!tile || !producer) continue;
      const height = heightIn(this.fullScreen.value === tile.key ? screen : tile.rect, content);
      heights.set(producer.id, Math.round(height * pixelRatio));
    }
    const inSmallWindow = this.smallWindowHeight.value > 0 ? producerOf(featured) : null;
    if (inSmallWindow) {
      const height = Math.round(this.smallWindowHeight.value * pixelRatio);
      heights.set(inSmallWindow.id, Math.max(height, heights.get(inSmallWindow.id) ?? 0));
    }
    return heights;
  }

  /** Returns the video that the person has pinned, by producer id; null without one. */
  pinnedProducer({ contents }: Stage): string | null {
    return producerOf(contents.find(({ key }) => key === this.pinned.value))?.id ?? null;
  }
}

/** Returns the video of others that a tile shows; null without one. */
function producerOf(tile: StageTile | null | undefined): RemoteProducer | null {
  if (tile?.kind === 'screen') return tile.producer;
  return tile?.kind === 'person' ? tile.participant.camera.value : null;
}

/** Returns the video of others that a tile shows, if it is on and the server sends it. */
export function videoOf(tile: StageTile | null): RemoteProducer | null {
  const producer = producerOf(tile);
  return producer && !producer.paused.value && !producer.heldBack.value ? producer : null;
}

/** A screen is shown whole; a camera fills its tile. */
function heightIn({ width, height }: Size, { kind }: StageTile): number {
  return kind === 'screen' ? Math.min(height, width * SCREEN_ASPECT) : height;
}

function tilesOf({ participants, ownScreens }: CallContents): StageTile[] {
  return [
    ...participants.map((participant): StageTile => ({ key: `person ${participant.id}`, kind: 'person', participant })),
    ...participants.flatMap((participant) =>
      participant.screens.value.map((producer): StageTile => ({ key: `screen ${producer.id}`, kind: 'screen', participant, producer })),
    ),
    ...ownScreens.map((screen): StageTile => ({ key: `own screen ${screen.id}`, kind: 'own-screen', screen })),
  ];
}
