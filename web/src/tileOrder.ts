/**
 * The order of tiles. A tile keeps its place while others come and go; somebody who speaks on a later page changes
 * places with one who has been silent for longest, so that only two tiles move.
 */

/** A tile that is to be ordered. */
export interface OrderedTile {
  key: string;
  /** Screens come before people. */
  isScreen: boolean;
}

export class TileOrder {
  private keys: string[] = [];
  /** Number of the latest turn to speak, by key. */
  private readonly turns = new Map<string, number>();
  private lastTurn = 0;
  private lastSpeaker = '';

  /** Takes in new tiles, screens before all others and people after them, and drops those that are gone. */
  update(tiles: readonly OrderedTile[]): readonly string[] {
    const present = new Set(tiles.map(({ key }) => key));
    const known = new Set(this.keys);
    const added = tiles.filter(({ key }) => !known.has(key));
    const keysOf = (isScreen: boolean) => added.filter((tile) => tile.isScreen === isScreen).map(({ key }) => key);
    this.keys = [...keysOf(true), ...this.keys.filter((key) => present.has(key)), ...keysOf(false)];
    return this.keys;
  }

  /** Records that somebody speaks. */
  recordSpeaker(key: string): void {
    if (key === this.lastSpeaker) return;
    this.lastSpeaker = key;
    this.lastTurn += 1;
    this.turns.set(key, this.lastTurn);
  }

  /** Gives a person the place of the one of `shown` who spoke longest ago. Does nothing if it is shown already. */
  bringForward(key: string, shown: readonly string[]): void {
    if (shown.includes(key)) return;
    // Of several who never spoke, the last one.
    const [replaced] = [...shown].reverse().sort((a, b) => (this.turns.get(a) ?? 0) - (this.turns.get(b) ?? 0));
    if (replaced !== undefined) this.swap(key, replaced);
  }

  /** Exchanges the places of two tiles. */
  swap(one: string, other: string): void {
    if (!this.keys.includes(one) || !this.keys.includes(other)) return;
    this.keys = this.keys.map((key) => (key === one ? other : key === other ? one : key));
  }
}
