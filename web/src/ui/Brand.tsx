/** Logo and product name, at the top of every page outside a call. */
import { Mark } from './icons';

export function Brand() {
  return (
    <header class="brand">
      <Mark />
      <span>Watersmeet</span>
    </header>
  );
}
