/** What others ask of a host, one polite line over the stage; the list of participants has all of it. */
import type { ComponentChildren } from 'preact';
import type { Asker } from '../door';
import type { Room } from '../room';

export function Requests({ room, show }: { room: Room; show(): void }) {
  const { door } = room;
  const [waits, ...more] = door.waiting.value;
  const [wishes, ...others] = door.wishes.value;
  if (waits && more.length > 0) return <Several text={`${more.length + 1} people wait to come in`} show={show} />;
  if (waits) {
    return (
      <One asker={waits} wish="waits to come in">
        <button class="button small" type="button" onClick={() => door.deny(waits)}>
          Deny
        </button>
        <button class="button small primary" type="button" onClick={() => door.admit(waits)}>
          Admit
        </button>
      </One>
    );
  }
  if (wishes && others.length > 0) return <Several text={`${others.length + 1} people ask to speak`} show={show} />;
  if (wishes) {
    return (
      <One asker={wishes} wish="asks to speak">
        <button class="button small" type="button" onClick={() => door.forget(wishes.id)}>
          Not now
        </button>
        <button class="button small primary" type="button" onClick={() => door.promote(wishes.id)}>
          Allow
        </button>
      </One>
    );
  }
  return null;
}

interface OneProps {
  asker: Asker;
  wish: string;
  children: ComponentChildren;
}

function One({ asker, wish, children }: OneProps) {
  return (
    <section class="request" aria-label="Request">
      <p role="status">
        <strong>{asker.label}</strong> {wish}
      </p>
      <div class="request-buttons" role="group" aria-label={asker.label}>
        {children}
      </div>
    </section>
  );
}

function Several({ text, show }: { text: string; show(): void }) {
  return (
    <section class="request" aria-label="Request">
      <p role="status">{text}</p>
      <div class="request-buttons">
        <button class="button small primary" type="button" onClick={show}>
          Show
        </button>
      </div>
    </section>
  );
}
