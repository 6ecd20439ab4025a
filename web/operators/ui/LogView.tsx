/** The latest warnings and errors, and the level of the log. */
import { useState } from 'preact/hooks';
import type { OperatorsApp } from '../operatorsApp';
import type { LogState } from '../operatorsApi';

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'];

export function LogView({ app }: { app: OperatorsApp }) {
  const log = app.log.value;
  if (!log) return <h1>Log</h1>;
  return (
    <>
      <h1 class="hidden">Log</h1>
      <div class="panels">
        <Filter app={app} log={log} key={log.filter} />
        <section class="card wide" aria-labelledby="lines">
          <h2 id="lines">Latest warnings and errors</h2>
          {log.lines.length === 0 && <p class="empty">There are none since the start.</p>}
          <ol class="log-lines" reversed>
            {[...log.lines].reverse().map(({ number, at, level, target, text }) => (
              <li key={number}>
                <span class={`chip ${level === 'error' ? 'poor' : 'fair'}`}>{level === 'error' ? 'Error' : 'Warning'}</span>
                <span>{text}</span>
                <small>
                  <time dateTime={at}>{new Date(at).toLocaleString('en-GB')}</time>, {target}
                </small>
              </li>
            ))}
          </ol>
        </section>
      </div>
    </>
  );
}

function Filter({ app, log }: { app: OperatorsApp; log: LogState }) {
  const [filter, setFilter] = useState(log.filter);
  const isChanged = log.filter !== log.configured;
  const apply = (event: Event) => {
    event.preventDefault();
    void app.act((api) => api.setLogFilter(filter.trim()));
  };
  return (
    <section class="card wide" aria-labelledby="level">
      <h2 id="level">Level</h2>
      <form class="filter-form" onSubmit={apply}>
        <div class="field">
          <label for="filter">Level, or levels of parts of the program</label>
          <input
            id="filter"
            type="text"
            list="levels"
            spellcheck={false}
            autocomplete="off"
            value={filter}
            aria-describedby="filter-help"
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          <datalist id="levels">
            {LEVELS.map((level) => (
              <option key={level} value={level} />
            ))}
          </datalist>
        </div>
        <button class="button primary" type="submit">
          Apply
        </button>
        <button class="button" type="button" disabled={!isChanged} onClick={() => void app.act((api) => api.resetLogFilter())}>
          Reset to {log.configured}
        </button>
      </form>
      <p class="quiet" id="filter-help">
        For example <code>debug</code> or <code>info,watersmeet_engine=debug</code>. Lasts until the server ends.
      </p>
    </section>
  );
}
