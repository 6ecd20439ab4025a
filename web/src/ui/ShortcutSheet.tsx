/** Dialog that lists the keyboard shortcuts of a call. */
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/translate';
import { SHORTCUTS, type ShortcutHandlers } from '../shortcuts';

export function ShortcutSheet({ handlers, close }: { handlers: ShortcutHandlers; close(): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label={t('shortcuts.title')} onClose={close}>
      <h2>{t('shortcuts.title')}</h2>
      <dl class="shortcuts">
        {SHORTCUTS.filter(({ action }) => handlers[action]).map(({ action, key }) => (
          <div key={action}>
            <dt>
              <kbd>{key === ' ' ? t('shortcuts.space') : key.toUpperCase()}</kbd>
            </dt>
            <dd>{t(`shortcuts.${action}`)}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button class="button primary" type="submit">
          {t('shortcuts.close')}
        </button>
      </form>
    </dialog>
  );
}
