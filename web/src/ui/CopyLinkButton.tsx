/** Copies the room's link; shows it in a text field where the browser forbids copying. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/translate';
import { CheckIcon, LinkIcon } from './icons';

const COPIED_MS = 2_000;

export function CopyLinkButton({ link, wide = false }: { link: string; wide?: boolean }) {
  const copied = useSignal(false);
  const showLink = useSignal(false);
  const field = useRef<HTMLInputElement>(null);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link);
      copied.value = true;
      showLink.value = false;
      setTimeout(() => (copied.value = false), COPIED_MS);
    } catch {
      showLink.value = !showLink.value;
    }
  };

  const visible = showLink.value;
  useEffect(() => {
    if (visible) field.current?.select();
  }, [visible]);

  return (
    <div class="copy">
      <button
        type="button"
        class={wide ? 'button primary' : 'chip'}
        aria-label={t('copyLink.copy')}
        title={t('copyLink.copy')}
        onClick={() => void copy()}
      >
        {copied.value ? <CheckIcon /> : <LinkIcon />}
        <span class="copy-text">{t(copied.value ? 'copyLink.copied' : 'copyLink.copy')}</span>
      </button>
      <span class="hidden" role="status">
        {copied.value ? t('copyLink.copied') : ''}
      </span>
      {visible && (
        <div class="copy-by-hand card">
          <label>
            {t('copyLink.byHand')}
            <input
              ref={field}
              type="text"
              readOnly
              value={link}
              onKeyDown={(event) => event.key === 'Escape' && (showLink.value = false)}
            />
          </label>
        </div>
      )}
    </div>
  );
}
