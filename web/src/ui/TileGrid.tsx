/** The video tiles, at the rectangles that `layoutTiles` computes. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { App } from '../app';
import { t } from '../i18n/translate';
import { layoutTiles, type Size } from '../tileLayout';
import type { Room } from '../room';
import { AloneCard } from './AloneCard';
import { ParticipantTile, OwnTile } from './Tile';

const GAP = 12;
const GAP_SMALL = 8;
const SMALL_WIDTH_MAX = 600;

export function TileGrid({ app, room }: { app: App; room: Room }) {
  const ref = useRef<HTMLElement>(null);
  const size = useSignal<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => (size.value = { width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [size]);

  const participants = room.participants.value;
  const gap = size.value.width < SMALL_WIDTH_MAX ? GAP_SMALL : GAP;
  const layout = layoutTiles(participants.length, size.value, gap);
  return (
    <section class="stage" ref={ref} aria-label={t('people.stage')}>
      <OwnTile app={app} room={room} rect={layout.self} floating={layout.floating} />
      {participants.map((participant, index) => {
        const rect = layout.others[index];
        return rect && <ParticipantTile key={participant.id} app={app} room={room} participant={participant} rect={rect} />;
      })}
      {participants.length === 0 && room.status.value === 'live' && <AloneCard app={app} room={room} />}
    </section>
  );
}
