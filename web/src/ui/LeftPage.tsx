/** Page after the call: the person left or was removed, or the room was closed. */
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import type { RemovalReason } from '../protocol';
import { Brand } from './Brand';

interface EndOfCall {
  title: string;
  /** Sentence below the title, around the room's name. */
  lead: (room: ComponentChildren) => ComponentChildren;
  /** Label of the button that joins again; absent where that makes no sense. */
  rejoinLabel?: string;
}

const TEXTS: Record<RemovalReason | 'left', EndOfCall> = {
  left: {
    title: 'You left the meeting',
    lead: (room) => <>The room {room} stays open for those still in it.</>,
    rejoinLabel: 'Rejoin',
  },
  denied: {
    title: 'You were not let in',
    lead: (room) => <>A host of {room} decided so. If that was a mistake, you can ask again.</>,
    rejoinLabel: 'Ask again',
  },
  removed: {
    title: 'A host removed you',
    lead: (room) => <>You are no longer in {room}. Nobody there hears or sees you.</>,
  },
  replaced: {
    title: 'You joined from somewhere else',
    lead: (room) => <>The meeting {room} goes on in your other window or on your other device.</>,
    rejoinLabel: 'Join here',
  },
  'room-closed': {
    title: 'The meeting is over',
    lead: (room) => <>The room {room} was closed for everybody.</>,
  },
};

export function LeftPage({ app }: { app: App }) {
  const { title, lead, rejoinLabel } = TEXTS[app.removal.value ?? 'left'];
  return (
    <div class="outside">
      <Brand />
      <main class="left-main">
        <h1>{title}</h1>
        <p class="lead">{lead(<strong>{app.roomId.value}</strong>)}</p>
        <div class="row">
          {rejoinLabel && (
            <button class="button primary large" type="button" onClick={() => void app.join()}>
              {rejoinLabel}
            </button>
          )}
          <button class={`button large ${rejoinLabel ? '' : 'primary'}`} type="button" onClick={() => app.showLanding()}>
            Home
          </button>
        </div>
      </main>
    </div>
  );
}
