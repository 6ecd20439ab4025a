/** Starts the page. */
import { render } from 'preact';
import { App } from './app';
import { Page } from './ui/Page';
import './styles/base.css';
import './styles/outside.css';
import './styles/call.css';

const root = document.getElementById('app');
if (root) render(<Page app={new App()} />, root);
