/** The screen after leaving. */
import type { App } from '../app';
import { Brand } from './Brand';

export function Left({ app }: { app: App }) {
  return (
    <div class="outside">
      <Brand />
      <main class="left-main">
        <h1>You left the meeting</h1>
        <p class="lead">
          The room <strong>{app.roomId.value}</strong> stays open for those still in it.
        </p>
        <div class="row">
          <button class="button primary large" type="button" onClick={() => void app.join()}>
            Rejoin
          </button>
          <button class="button large" type="button" onClick={() => app.toLanding()}>
            Home
          </button>
        </div>
      </main>
    </div>
  );
}
