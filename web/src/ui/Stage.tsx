/** The tiles of a call, where `CallLayout` places them, and the buttons that turn pages. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { App } from '../app';
import { OWN_KEY, type CallLayout, type Stage as StageState } from '../callLayout';
import { currentLanguage, formatNumber, t } from '../i18n/translate';
import { LANGUAGES } from '../i18n/languages';
import type { Room } from '../room';
import { mirrorLayout, type Size } from '../tileLayout';
import { AloneCard } from './AloneCard';
import { ContentTile } from './ContentTile';
import { NextIcon, PreviousIcon } from './icons';
import { OwnTile } from './OwnTile';

const GAP = 12;
const GAP_SMALL = 8;
const SMALL_WIDTH_MAX = 600;

interface StageProps {
  app: App;
  room: Room;
  layout: CallLayout;
}

export function Stage({ app, room, layout }: StageProps) {
  const ref = useRef<HTMLElement>(null);
  const size = useElementSize(ref);
  const participants = room.participants.value;
  const gap = size.width < SMALL_WIDTH_MAX ? GAP_SMALL : GAP;
  const call = {
    participants,
    ownScreens: app.screens.screens.value,
    speaker: room.speakers.active.value,
    spotlight: room.hosting.spotlight.value,
  };
  const arranged = layout.arrange(call, size, gap);
  const stage = LANGUAGES[currentLanguage()].direction === 'rtl' ? mirrorLayout(arranged, size.width) : arranged;
  useShown(room, layout, stage);
  useFullScreen(layout);
  useEffect(() => void (layout.featured.value = stage.featured));
  const own = stage.tiles.find(({ key }) => key === OWN_KEY);
  // With breakout rooms, people are elsewhere in the meeting, and the link brings nobody to this room.
  const isAlone = participants.length === 0 && room.status.value === 'live' && !room.breakouts.state.value;
  return (
    <section class="stage" ref={ref} aria-label={t('people.stage')}>
      {stage.contents.map((content) => {
        const place = stage.tiles.find(({ key }) => key === content.key);
        return place && <ContentTile key={content.key} app={app} room={room} layout={layout} content={content} place={place} isMain={stage.mainKey === content.key || stage.tiles.length <= 2} />;
      })}
      {own && <OwnTile app={app} room={room} place={own} />}
      <Pager layout={layout} stage={stage} />
      {isAlone && <AloneCard app={app} room={room} />}
    </section>
  );
}

function Pager({ layout, stage: { page, pages, pager } }: { layout: CallLayout; stage: StageState }) {
  if (!pager) return null;
  const { x, y, width, height } = pager;
  return (
    <nav
      class="pager"
      aria-label={t('layout.page', { page: page + 1, pages })}
      style={{ transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` }}
    >
      <button
        type="button"
        class="ghost"
        aria-label={t('layout.previousPage')}
        title={t('layout.previousPage')}
        aria-disabled={page === 0}
        onClick={() => (layout.page.value = Math.max(0, page - 1))}
      >
        <PreviousIcon />
      </button>
      <span aria-hidden="true">{`${formatNumber(page + 1)} / ${formatNumber(pages)}`}</span>
      <button
        type="button"
        class="ghost"
        aria-label={t('layout.nextPage')}
        title={t('layout.nextPage')}
        aria-disabled={page === pages - 1}
        onClick={() => (layout.page.value = Math.min(pages - 1, page + 1))}
      >
        <NextIcon />
      </button>
    </nav>
  );
}

/** Tells the room which videos are shown, and how large. */
function useShown(room: Room, layout: CallLayout, stage: StageState): void {
  const heights = layout.shownHeights(stage, { width: screen.width, height: screen.height }, devicePixelRatio);
  const pinned = layout.pinnedProducer(stage);
  const key = JSON.stringify([...heights]);
  useEffect(() => {
    room.consumers.setShown(heights);
  }, [room, key]);
  useEffect(() => {
    room.consumers.setPinned(pinned);
  }, [room, pinned]);
}

/** Follows which tile fills the screen. */
function useFullScreen(layout: CallLayout): void {
  useEffect(() => {
    const follow = () => {
      const element = document.fullscreenElement;
      layout.fullScreen.value = element instanceof HTMLElement ? (element.dataset.key ?? null) : null;
    };
    document.addEventListener('fullscreenchange', follow);
    return () => document.removeEventListener('fullscreenchange', follow);
  }, [layout]);
}

/** Returns the size of an element, and follows it. */
function useElementSize(ref: { current: HTMLElement | null }): Size {
  const size = useSignal<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => (size.value = { width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref, size]);
  return size.value;
}
