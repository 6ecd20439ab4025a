/** Note in a tile: why the server sends nothing of a video, and when it does again. */
import type { HeldBackReason } from '../remoteProducer';
import { heldBackText } from './messages';

export function HeldBackNote({ reason: code }: { reason: HeldBackReason }) {
  const { reason, outlook } = heldBackText(code);
  return (
    <p class="tile-note">
      {reason}
      <span> {outlook}</span>
    </p>
  );
}
