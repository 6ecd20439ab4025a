/** Checkbox to receive and send no cameras, to save data. */
import type { App } from '../app';
import { t } from '../i18n/translate';

export function SaveDataField({ app }: { app: App }) {
  return (
    <label class="choice">
      <input type="checkbox" checked={app.saveData.value} onChange={() => app.toggleSaveData()} />
      <span>
        {t('controls.saveData')}
        <small>{t('lobby.saveData.hint')}</small>
      </span>
    </label>
  );
}
