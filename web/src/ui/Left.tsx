/** The screen after the meeting: left, sent away, or over. */
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import type { RemovalReason } from '../protocol';
import { Brand } from './Brand';

interface Ending {
  title: string;
  /** What follows, around the room's name. */
  lead: (room: ComponentChildren) => ComponentChildren;
  /** How to go back, where that makes sense. */
  again?: string;
}

const ENDINGS: Record<RemovalReason | 'left', Ending> = {
  left: {
    title: 'You left the meeting',
    lead: (room) => <>The room {room} stays open for those still in it.</>,
    again: 'Rejoin',
  },
  denied: {
    title: 'You were not let in',
    lead: (room) => <>A host of {room} decided so. If that was a mistake, you can ask again.</>,
    again: 'Ask again',
  },
  removed: {
    title: 'A host removed you',
    lead: (room) => <>You are no longer in {room}. Nobody there hears or sees you.</>,
  },
  replaced: {
    title: 'You joined from somewhere else',
    lead: (room) => <>The meeting {room} goes on in your other window or on your other device.</>,
    again: 'Join here',
  },
  'room-closed': {
    title: 'The meeting is over',
    lead: (room) => <>The room {room} was closed for everybody.</>,
  },
};

export function Left({ app }: { app: App }) {
  const { title, lead, again } = ENDINGS[app.removal.value ?? 'left'];
  return (
    <div class="outside">
      <Brand />
      <main class="left-main">
        <h1>{title}</h1>
        <p class="lead">{lead(<strong>{app.roomId.value}</strong>)}</p>
        <div class="row">
          {again && (
            <button class="button primary large" type="button" onClick={() => void app.join()}>
              {again}
            </button>
          )}
          <button class={`button large ${again ? '' : 'primary'}`} type="button" onClick={() => app.toLanding()}>
            Home
          </button>
        </div>
      </main>
    </div>
  );
}
