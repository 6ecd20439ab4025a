/** Layouts of a call: what is large, and who changes places. */
import { describe, expect, test } from 'vitest';
import { CallLayout, type CallContents } from './callLayout';
import { Participant } from './participant';
import { RemoteProducer } from './remoteProducer';
import type { Size } from './tileLayout';

const DESKTOP: Size = { width: 1_248, height: 650 };
const SCREEN: Size = { width: 1_280, height: 800 };

/** A call with so many people, each with a camera. */
class FakeCall {
  readonly layout = new CallLayout();
  readonly participants: Participant[];
  speaker: string | null = null;
  spotlight: string | null = null;

  constructor(people: number) {
    this.participants = Array.from({ length: people }, (_, index) => new Participant(`p${index}`));
    for (const participant of this.participants) this.add(participant, 'camera');
  }

  add(participant: Participant | undefined, source: 'camera' | 'screen', name: string = source): void {
    if (!participant) return;
    const producer = new RemoteProducer({ producerId: `${participant.id} ${name}`, kind: 'video', source });
    participant.producers.value = [...participant.producers.value, producer];
  }

  arrange(viewport = DESKTOP) {
    const { participants, speaker, spotlight } = this;
    const contents: CallContents = { participants, ownScreens: [], speaker, spotlight };
    return this.layout.arrange(contents, viewport, 12);
  }

  heights(): Map<string, number> {
    return this.layout.shownHeights(this.arrange(), SCREEN, 1);
  }

  order(): string[] {
    return this.arrange().tiles.map(({ key }) => key);
  }
}

describe('the large tile', () => {
  test('is a screen that appears, and nobody when it is gone', () => {
    const call = new FakeCall(3);
    expect(call.arrange().mainKey).toBeNull();
    call.add(call.participants[1], 'screen');
    expect(call.arrange().mainKey).toBe('screen p1 screen');
    expect(call.arrange().tiles.map(({ key }) => key)).toContain('person p1');
    const [, sharer] = call.participants;
    if (sharer) sharer.producers.value = sharer.producers.value.filter(({ isScreen }) => !isScreen);
    expect(call.arrange().mainKey).toBeNull();
  });

  test('is whom a host shows to everybody, before screens and in every mode, unless something is pinned', () => {
    const call = new FakeCall(3);
    call.add(call.participants[1], 'screen');
    call.spotlight = 'p2';
    for (const mode of ['auto', 'grid', 'speaker'] as const) {
      call.layout.setMode(mode);
      expect(call.arrange().mainKey, mode).toBe('person p2');
    }
    call.layout.togglePin('person p0');
    expect(call.arrange().mainKey).toBe('person p0');
    call.layout.togglePin('person p0');
    call.spotlight = 'gone';
    call.layout.setMode('grid');
    expect(call.arrange().mainKey).toBeNull();
  });

  test('is the latest of several screens', () => {
    const call = new FakeCall(2);
    call.add(call.participants[0], 'screen', 'slides');
    call.add(call.participants[0], 'screen', 'film');
    expect(call.arrange().mainKey).toBe('screen p0 film');
    expect(call.order()).toContain('screen p0 slides');
  });

  test('is none where the person has chosen the grid, whose first tile is the screen', () => {
    const call = new FakeCall(3);
    call.layout.setMode('grid');
    call.add(call.participants[1], 'screen');
    expect(call.arrange().mainKey).toBeNull();
    expect(call.order()[0]).toBe('screen p1 screen');
  });

  test('is what the person has pinned, until it is gone', () => {
    const call = new FakeCall(3);
    call.add(call.participants[1], 'screen');
    call.layout.togglePin('person p2');
    expect(call.arrange().mainKey).toBe('person p2');
    expect(call.layout.pinnedProducer(call.arrange())).toBe('p2 camera');
    call.participants.pop();
    expect(call.arrange().mainKey).toBe('screen p1 screen');
    expect(call.layout.pinnedProducer(call.arrange())).toBeNull();
  });

  test('follows who speaks, and the one before takes its place in the strip', () => {
    const call = new FakeCall(4);
    call.layout.setMode('speaker');
    call.speaker = 'p0';
    expect(call.order()).toEqual(['person p0', 'person p1', 'person p2', 'person p3', 'own']);
    call.speaker = 'p2';
    expect(call.order()).toEqual(['person p2', 'person p1', 'person p0', 'person p3', 'own']);
    call.speaker = null;
    expect(call.arrange().mainKey).toBe('person p2');
    // Our own voice changes nothing.
    call.speaker = 'me';
    expect(call.arrange().mainKey).toBe('person p2');
  });
});

describe('pages', () => {
  test('a speaker on a later page comes to the first one, and one tile makes room for it', () => {
    const call = new FakeCall(40);
    const before = call.order();
    call.speaker = 'p39';
    const after = call.order();
    expect(after).toContain('person p39');
    expect(after.filter((key, index) => key !== before[index])).toHaveLength(1);
    expect(call.order()).toEqual(after);
  });

  test('a later page stays as it is while somebody speaks elsewhere', () => {
    const call = new FakeCall(40);
    call.layout.page.value = 1;
    const before = call.order();
    call.speaker = 'p0';
    expect(call.order()).toEqual(before);
  });

  test('only the videos of the page are shown', () => {
    const call = new FakeCall(40);
    const shown = call.arrange().tiles.length - 1;
    expect(call.heights().size).toBe(shown);
    expect(shown).toBeLessThan(25);
    expect([...call.heights().keys()]).not.toContain('p39 camera');
  });
});

describe('the height of a video', () => {
  test('is that of its tile, and of a screen as much as is filled', () => {
    const call = new FakeCall(2);
    call.add(call.participants[0], 'screen');
    const { tiles } = call.arrange();
    const [main, strip] = tiles;
    expect(call.heights().get('p0 screen')).toBe(Math.round(Math.min(main?.rect.height ?? 0, ((main?.rect.width ?? 0) * 9) / 16)));
    expect(call.heights().get('p0 camera')).toBe(strip?.rect.height);
  });

  test('is that of the whole screen when it fills it', () => {
    const call = new FakeCall(2);
    call.layout.fullScreen.value = 'person p0';
    expect(call.heights().get('p0 camera')).toBe(800);
  });
});

test('the own tile can be hidden, but not when nobody else is there', () => {
  const call = new FakeCall(2);
  call.layout.isOwnTileHidden.value = true;
  expect(call.order()).toEqual(['person p0', 'person p1']);
  call.participants.length = 0;
  expect(call.order()).toEqual(['own']);
});

describe('the small window', () => {
  const featured = (call: FakeCall) => call.arrange().featured?.key;

  test('shows the large tile, or else who speaks or spoke last', () => {
    const call = new FakeCall(3);
    expect(featured(call)).toBe('person p0');
    call.speaker = 'p2';
    expect(featured(call)).toBe('person p2');
    call.speaker = null;
    expect(featured(call)).toBe('person p2');
    call.layout.togglePin('person p1');
    expect(featured(call)).toBe('person p1');
  });

  test('shows a shared screen, unless it is our own', () => {
    const call = new FakeCall(2);
    call.add(call.participants[1], 'screen');
    expect(featured(call)).toBe('screen p1 screen');
    const ownScreens = [{ id: 's', video: {}, audio: null, content: 'text' }] as unknown as CallContents['ownScreens'];
    call.layout.togglePin('own screen s');
    const { participants, speaker, spotlight } = call;
    expect(call.layout.arrange({ participants, ownScreens, speaker, spotlight }, DESKTOP, 12).featured?.key).toBe('person p0');
  });

  test('shows nobody where nobody else is', () => {
    expect(featured(new FakeCall(0))).toBeUndefined();
  });

  test('makes the server send what it shows, also of another page', () => {
    const call = new FakeCall(40);
    call.layout.page.value = 1;
    const [first = ''] = call.participants[0]?.producers.value.map(({ id }) => id) ?? [];
    expect(call.heights().get(first)).toBeUndefined();
    call.layout.smallWindowHeight.value = 320;
    expect(call.heights().get(first)).toBe(320);
  });
});
