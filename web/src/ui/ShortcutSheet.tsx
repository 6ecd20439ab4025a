/** Dialog that lists the keyboard shortcuts of a call. */
import { t } from '../i18n/translate';
import { SHORTCUTS, type ShortcutHandlers } from '../shortcuts';
import { PanelDialog } from './PanelDialog';

export function ShortcutSheet({ handlers, close }: { handlers: ShortcutHandlers; close(): void }) {
  return (
    <PanelDialog title={t('shortcuts.title')} closeText={t('shortcuts.close')} close={close}>
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
    </PanelDialog>
  );
}
