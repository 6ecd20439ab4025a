/** Asks for the operators' key, once for each tab. */
import { useState } from 'preact/hooks';
import { Mark } from '../../src/ui/icons';
import type { OperatorsApp } from '../operatorsApp';

export function SignInPage({ app }: { app: OperatorsApp }) {
  const [key, setKey] = useState('');
  const [isAsking, setAsking] = useState(false);
  const problem = app.problem.value;
  const signIn = async (event: Event) => {
    event.preventDefault();
    if (isAsking || key.trim() === '') return;
    setAsking(true);
    await app.signIn(key.trim());
    setAsking(false);
  };
  return (
    <main class="sign-in">
      <div class="card">
        <div class="operators-brand">
          <Mark />
          <h1>Watersmeet operators</h1>
        </div>
        <form onSubmit={(event) => void signIn(event)}>
          <div class="field">
            <label for="key">Key</label>
            <input
              id="key"
              type="password"
              autocomplete="current-password"
              spellcheck={false}
              autofocus
              value={key}
              aria-invalid={problem !== ''}
              aria-describedby={problem ? 'key-problem key-help' : 'key-help'}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
            {problem && (
              <p class="field-problem" id="key-problem" role="alert">
                {problem}
              </p>
            )}
            <p class="quiet" id="key-help">
              It is <code>api_key</code> in the configuration. This tab keeps it until it is closed.
            </p>
          </div>
          <button class="button primary large" type="submit" aria-disabled={isAsking}>
            Sign in
          </button>
        </form>
      </div>
    </main>
  );
}
