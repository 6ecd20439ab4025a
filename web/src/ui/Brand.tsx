/** Logo and product name, at the top of every page outside a call, with the choice of the language. */
import { Mark } from './icons';
import { LanguagePicker } from './LanguagePicker';

export function Brand() {
  return (
    <header class="brand">
      <Mark />
      <span>Watersmeet</span>
      <LanguagePicker />
    </header>
  );
}
