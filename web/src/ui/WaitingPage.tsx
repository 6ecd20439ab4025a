/** Page shown while a host decides whether the person may join. */
import type { App } from '../app';
import type { Room } from '../room';
import { Brand } from './Brand';
import { DevicePreview } from './DevicePreview';

export function WaitingPage({ app, room }: { app: App; room: Room }) {
  const connected = room.connected.value;
  return (
    <div class="outside">
      <Brand />
      <main class="lobby-main">
        <DevicePreview app={app} />
        <section class="card lobby-form" aria-label="Waiting">
          <div>
            <p class="eyebrow">You are at the door of</p>
            <p class="room-name">{room.id}</p>
          </div>
          <div class="waiting" role="status">
            <span class="dots" aria-hidden="true">
              <span />
              <span />
              <span />
            </span>
            <h1 class="waiting-title">Waiting for the host</h1>
            <p class="quiet">
              {connected
                ? 'The host knows that you are here. You go in as soon as you are let in.'
                : 'The connection was lost. You keep waiting as soon as it is back.'}
            </p>
          </div>
          <button class="button large" type="button" onClick={() => app.leave()}>
            Leave
          </button>
        </section>
      </main>
    </div>
  );
}
