/** The page with its head and views, or the question for the key. */
import { Mark } from '../../src/ui/icons';
import { formatDuration } from '../format';
import type { OperatorsApp } from '../operatorsApp';
import { CallView } from './CallView';
import { HistoryView } from './HistoryView';
import { LogView } from './LogView';
import { OverviewView } from './OverviewView';
import { RoomsView } from './RoomsView';
import { RoomView } from './RoomView';
import { SignInPage } from './SignInPage';

const TABS = [
  { name: 'overview', label: 'Overview' },
  { name: 'rooms', label: 'Rooms' },
  { name: 'history', label: 'History' },
  { name: 'log', label: 'Log' },
] as const;

/** The tab that is marked in each view. */
const TAB_OF_VIEW = {
  overview: 'overview',
  rooms: 'rooms',
  room: 'rooms',
  history: 'history',
  call: 'history',
  log: 'log',
} as const;

const PHASES = {
  running: { text: 'Running', look: 'good' },
  draining: { text: 'Draining', look: 'fair' },
  'shutting-down': { text: 'Shutting down', look: 'poor' },
} as const;

export function CurrentView({ app }: { app: OperatorsApp }) {
  if (!app.isSignedIn.value) return <SignInPage app={app} />;
  return (
    <div class="operators">
      <Head app={app} />
      <main>
        {app.isUnreachable.value && (
          <p class="alert" role="alert">
            The server does not answer. What you see is what it said last.
          </p>
        )}
        {app.problem.value && (
          <p class="alert" role="alert">
            {app.problem.value}
          </p>
        )}
        <View app={app} />
      </main>
    </div>
  );
}

function View({ app }: { app: OperatorsApp }) {
  const view = app.view.value;
  switch (view.name) {
    case 'overview':
      return <OverviewView app={app} />;
    case 'rooms':
      return <RoomsView app={app} />;
    case 'room':
      return <RoomView app={app} name={view.room} key={view.room} />;
    case 'history':
      return <HistoryView app={app} />;
    case 'call':
      return <CallView app={app} />;
    case 'log':
      return <LogView app={app} />;
  }
}

function Head({ app }: { app: OperatorsApp }) {
  const status = app.status.value;
  const phase = status && PHASES[status.phase];
  const current = TAB_OF_VIEW[app.view.value.name];
  return (
    <header>
      <div class="operators-head">
        <div class="operators-brand">
          <Mark />
          <span>Watersmeet operators</span>
        </div>
        {phase && <span class={`chip ${phase.look}`}>{phase.text}</span>}
        {status && (
          <p class="quiet server-line">
            Version {status.version}
            {status.commit !== 'unknown' && ` (${status.commit})`}, running for {formatDuration(status.uptimeS)}
          </p>
        )}
        <button class="button small" type="button" onClick={() => app.signOut()}>
          Sign out
        </button>
      </div>
      <nav class="tabs" aria-label="Views">
        {TABS.map(({ name, label }) => (
          <a key={name} href={`#${name}`} aria-current={current === name ? 'page' : undefined}>
            {label}
          </a>
        ))}
      </nav>
    </header>
  );
}
