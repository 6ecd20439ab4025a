/** Mark on a tile whose media suffers. The reason is its label, and is shown while it is pointed at or focused. It opens the statistics. */
import { WeakSignalIcon } from './icons';

export function QualityMark({ reason, onClick }: { reason: string; onClick(): void }) {
  return (
    <button type="button" class="quality" aria-label={reason} onClick={onClick}>
      <span class="quality-reason">{reason}</span>
      <WeakSignalIcon />
    </button>
  );
}
