/** Select for the language of the page, each by its own name. */
import { LANGUAGES, LANGUAGE_TAGS } from '../i18n/languages';
import { currentLanguage, showLanguage, t } from '../i18n/translate';
import { saveLanguage } from '../browserStorage';
import { GlobeIcon } from './icons';

export function LanguagePicker() {
  return (
    <label class="language">
      <GlobeIcon />
      <span class="hidden">{t('language.label')}</span>
      <select
        value={currentLanguage()}
        onChange={(event) => {
          const tag = LANGUAGE_TAGS.find((known) => known === event.currentTarget.value);
          if (!tag) return;
          saveLanguage(tag);
          void showLanguage(tag);
        }}
      >
        {LANGUAGE_TAGS.map((tag) => (
          <option key={tag} value={tag} lang={tag}>
            {LANGUAGES[tag].name}
          </option>
        ))}
      </select>
    </label>
  );
}
