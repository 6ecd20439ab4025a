/** Dialog that tests the connection and says in plain words how it is and what to do. Loaded on demand. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import { ConnectionTest, adviceFor, type TestAdvice, type TestState } from '../connectionTest';
import { formatUnit, t } from '../i18n/translate';
import { createTone } from '../testSound';
import { PanelDialog } from './PanelDialog';

/** Advice that is shown as a warning. */
const BAD: ReadonlySet<TestAdvice> = new Set(['unreachable', 'failed', 'blocked', 'lossy', 'slow']);

export function ConnectionTestDialog({ app, close }: { app: App; close(): void }) {
  const test = useSignal<ConnectionTest | null>(null);
  const run = () => {
    test.value?.stop();
    const { createMedia } = app;
    test.value = new ConnectionTest({ createSignalling: (events) => app.createSignalling(events), createMedia, createTone });
    void test.value.run();
  };
  useEffect(() => {
    run();
    return () => test.value?.stop();
  }, []);
  const state = test.value?.state.value ?? { stage: 'server' as const };
  const isDone = state.stage === 'done';
  return (
    <PanelDialog title={t('test.title')} class="connection-test" closeText={t('devices.done')} close={close}>
      <dl class="test-figures">
        {figures(state).map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class={isDone && BAD.has(adviceFor(state)) ? 'alert' : 'test-advice'} role="status">
        <span>{isDone ? adviceText(state) : t(`test.stage.${state.stage === 'done' ? 'measuring' : state.stage}`)}</span>
      </p>
      <button type="button" class="button" aria-disabled={!isDone} onClick={() => void (isDone && run())}>
        {t('test.again')}
      </button>
    </PanelDialog>
  );
}

/** Findings so far, in the order of the test. */
function figures({ stage, serverMs, outcome, rttMs, lossShare }: TestState): [term: string, value: string][] {
  const pending = stage === 'done' ? '–' : '…';
  const time = (ms: number | undefined) => (ms === undefined ? pending : formatUnit(ms, 'millisecond'));
  const isReached = outcome !== 'unreachable' && serverMs !== undefined;
  const server = isReached ? t('test.reached', { time: time(serverMs) }) : stage === 'done' ? t('test.notReached') : pending;
  return [
    [t('test.server'), server],
    [t('test.media'), outcome && outcome !== 'unreachable' && outcome !== 'failed' ? t(`test.route.${outcome}`) : pending],
    [t('test.delay'), time(rttMs)],
    [t('test.loss'), lossShare === undefined ? pending : formatUnit(lossShare * 100, 'percent', 1)],
  ];
}

function adviceText(state: TestState): string {
  const advice = adviceFor(state);
  const { port } = state;
  if ((advice === 'blocked' || advice === 'tcp' || advice === 'relay') && port !== undefined) {
    return `${t(`test.advice.${advice}`)} ${t('test.advice.port', { port: String(port) })}`;
  }
  return t(`test.advice.${advice}`);
}
