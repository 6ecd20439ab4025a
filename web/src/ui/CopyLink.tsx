/** Copies the room's link; where the browser forbids that, shows it ready to be copied by hand. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { CheckIcon, LinkIcon } from './icons';

const DONE_MS = 2_000;

export function CopyLink({ link, wide = false }: { link: string; wide?: boolean }) {
  const copied = useSignal(false);
  const byHand = useSignal(false);
  const field = useRef<HTMLInputElement>(null);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link);
      copied.value = true;
      byHand.value = false;
      setTimeout(() => (copied.value = false), DONE_MS);
    } catch {
      byHand.value = !byHand.value;
    }
  };

  const showing = byHand.value;
  useEffect(() => {
    if (showing) field.current?.select();
  }, [showing]);

  return (
    <div class="copy">
      <button
        type="button"
        class={wide ? 'button primary' : 'chip'}
        aria-label="Copy link"
        title="Copy link"
        onClick={() => void copy()}
      >
        {copied.value ? <CheckIcon /> : <LinkIcon />}
        <span class="copy-text">{copied.value ? 'Link copied' : 'Copy link'}</span>
      </button>
      <span class="hidden" role="status">
        {copied.value ? 'Link copied' : ''}
      </span>
      {showing && (
        <div class="copy-by-hand card">
          <label>
            Copy this link
            <input
              ref={field}
              type="text"
              readOnly
              value={link}
              onKeyDown={(event) => event.key === 'Escape' && (byHand.value = false)}
            />
          </label>
        </div>
      )}
    </div>
  );
}
