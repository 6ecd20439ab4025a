/** Mark on a tile whose media suffers. The reason is its label, and is shown while it is pointed at or focused. */
import { WeakSignalIcon } from './icons';

export function QualityMark({ reason }: { reason: string }) {
  return (
    <button type="button" class="quality" aria-label={reason}>
      <span class="quality-reason">{reason}</span>
      <WeakSignalIcon />
    </button>
  );
}
