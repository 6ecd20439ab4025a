/** Starts the page. */
import { render } from 'preact';
import { App } from './app';
import { CurrentPage } from './ui/CurrentPage';
import './styles/base.css';
import './styles/pages.css';
import './styles/call.css';

const root = document.getElementById('app');
if (root) render(<CurrentPage app={new App()} />, root);
