/** Shows the screen the visit is at. */
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import { Call } from './Call';
import { Landing } from './Landing';
import { Left } from './Left';
import { Lobby } from './Lobby';
import { Waiting } from './Waiting';

export function Page({ app }: { app: App }) {
  const screen = app.screen.value;
  const room = app.room.value;
  const roomId = app.roomId.value;
  useEffect(() => {
    document.title = roomId ? `${roomId} · Watersmeet` : 'Watersmeet';
  }, [roomId]);
  if (screen === 'call' && room?.status.value === 'waiting') return <Waiting app={app} room={room} />;
  if (screen === 'call' && room) return <Call app={app} room={room} />;
  if (screen === 'lobby') return <Lobby app={app} />;
  if (screen === 'left') return <Left app={app} />;
  return <Landing app={app} />;
}
