/** The name of the house, at the top of every screen outside a call. */
import { Mark } from './icons';

export function Brand() {
  return (
    <header class="brand">
      <Mark />
      <span>Watersmeet</span>
    </header>
  );
}
