/**
 * The package's entry: joins calls of a Watersmeet server. Has no user interface and opens no device. `api.js` has its
 * ending because the published types keep it, and Node's module resolution needs it.
 */
import { mediaFactory } from '../src/media';
import { webSocketUrl } from '../src/pageUrl';
import { SignallingSocket } from '../src/signallingSocket';
import type { Call, JoinOptions } from './api.js';
import { joinWith } from './roomCall';

export { CallError } from './api.js';
export type {
  Call,
  CallEvents,
  CallState,
  EndReason,
  ErrorCode,
  JoinOptions,
  Participant,
  Publication,
  PublishOptions,
  RemoteMedia,
  Role,
  Source,
  SubscribeOptions,
} from './api.js';

/**
 * Joins a room. The call reconnects by itself until it ends.
 *
 * @throws CallError when that fails; its code says why.
 */
export function join(options: JoinOptions): Promise<Call> {
  const url = webSocketUrl(folderOf(options.server));
  return joinWith(options, {
    createSignalling: (events) => new SignallingSocket(url, events),
    createMedia: mediaFactory(),
  });
}

/** Returns the server's address with a slash at its end and without anything that follows the path. */
function folderOf(server: string | URL): URL {
  const folder = new URL(server);
  folder.search = '';
  folder.hash = '';
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return folder;
}
