/** Starts the page in the person's language, or in that of its address. */
import { render } from 'preact';
import { App } from './app';
import { loadLanguage } from './browserStorage';
import { preferredLanguage } from './i18n/languages';
import { showLanguage } from './i18n/translate';
import { parsePageUrl } from './pageUrl';
import { CurrentPage } from './ui/CurrentPage';
import './styles/base.css';
import './styles/pages.css';
import './styles/call.css';
import './styles/tiles.css';
import './styles/dialogs.css';
import './styles/smallWindow.css';
import './styles/forcedColors.css';

const root = document.getElementById('app');
// The room connects while the texts are loaded.
const app = new App();
const { language, embedder } = parsePageUrl(new URL(location.href));
await showLanguage(preferredLanguage([language, loadLanguage(), ...navigator.languages]));
if (root) render(<CurrentPage app={app} />, root);
if (embedder && parent !== window) {
  const { Embedding } = await import('./embedding');
  new Embedding(app, embedder, window).start();
}
