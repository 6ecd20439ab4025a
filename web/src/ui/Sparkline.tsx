/** Small plot of the latest values of one figure, from left to right, scaled to the largest. */
import { HISTORY_LENGTH } from '../callStatistics';

const HEIGHT = 24;

/** Screen readers read the value beside it. */
export function Sparkline({ values }: { values: readonly number[] }) {
  const max = Math.max(...values, 1);
  const first = HISTORY_LENGTH - values.length;
  const points = values.map((value, index) => `${first + index},${(HEIGHT - 1 - (value / max) * (HEIGHT - 2)).toFixed(1)}`);
  return (
    <svg class="sparkline" viewBox={`0 0 ${HISTORY_LENGTH - 1} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(' ')} />
    </svg>
  );
}
