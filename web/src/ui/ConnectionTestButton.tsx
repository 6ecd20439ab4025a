/** Button that opens the test of the connection, whose code is loaded then. */
import { useSignal } from '@preact/signals';
import type { App } from '../app';
import { t } from '../i18n/translate';
import { onDemand } from './onDemand';

const ConnectionTestDialog = onDemand(async () => (await import('./ConnectionTestDialog')).ConnectionTestDialog);

export function ConnectionTestButton({ app }: { app: App }) {
  const state = useSignal<'closed' | 'open' | 'notLoaded'>('closed');
  return (
    <>
      <button type="button" class="button small" onClick={() => (state.value = 'open')}>
        {t('test.open')}
      </button>
      {state.value === 'open' && (
        <ConnectionTestDialog app={app} close={() => (state.value = 'closed')} onFailure={() => (state.value = 'notLoaded')} />
      )}
      {state.value === 'notLoaded' && (
        <p class="field-problem" role="alert">
          {t('joinFailure.unreachable')}
        </p>
      )}
    </>
  );
}
