/** The tiles, each where `layout` puts it. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { App } from '../app';
import { arrange, type Size } from '../layout';
import type { Room } from '../room';
import { CopyLink } from './CopyLink';
import { OtherTile, OwnTile } from './Tile';

const GAP = 12;
const GAP_SMALL = 8;
const SMALL = 600;

export function Stage({ app, room }: { app: App; room: Room }) {
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

  const people = room.people.value;
  const gap = size.value.width < SMALL ? GAP_SMALL : GAP;
  const places = arrange(people.length, size.value, gap);
  return (
    <section class="stage" ref={ref} aria-label="People">
      <OwnTile app={app} place={places.self} floating={places.floating} />
      {people.map((person, index) => {
        const place = places.others[index];
        return place && <OtherTile key={person.id} room={room} person={person} place={place} />;
      })}
      {people.length === 0 && room.status.value === 'live' && (
        <div class="invite">
          <p>
            <strong>You are the first one here.</strong>
            <br />
            Send the link to those you want to meet.
          </p>
          <CopyLink link={app.link} wide />
        </div>
      )}
    </section>
  );
}
