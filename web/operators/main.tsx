/** Starts the operators' page. */
import { render } from 'preact';
import { OperatorsApp } from './operatorsApp';
import { CurrentView } from './ui/CurrentView';
import '../src/styles/base.css';
import '../src/styles/forcedColors.css';
import './operators.css';

const root = document.getElementById('app');
const app = new OperatorsApp();
app.start();
if (root) render(<CurrentView app={app} />, root);
