/** Choice of what is shown behind the person: nothing else, a blur, drawn scenes, or a picture of their own. */
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { BACKGROUNDS, type Background } from '../background/messages';
import { CameraBackground } from '../cameraBackground';
import { t } from '../i18n/translate';
import { PictureIcon } from './icons';

export function BackgroundPicker({ background }: { background: CameraBackground }) {
  const unreadable = useSignal(false);
  const labelId = useId();
  if (!CameraBackground.isSupported) return null;
  const choose = (choice: Background) => {
    unreadable.value = false;
    background.choose(choice);
  };
  const add = async (input: HTMLInputElement) => {
    const file = input.files?.[0];
    // The same file can be chosen again.
    input.value = '';
    if (file) unreadable.value = !(await background.choosePicture(file));
  };
  const choices = BACKGROUNDS.filter((choice) => choice !== 'picture' || background.hasPicture.value);
  const problem = unreadable.value ? 'unreadable' : background.problem.value;
  return (
    <div class="field backgrounds">
      <span id={labelId}>{t('background.label')}</span>
      <div class="swatches" role="radiogroup" aria-labelledby={labelId} aria-busy={background.loading.value}>
        {choices.map((choice) => (
          <BackgroundSwatch key={choice} choice={choice} name={labelId} chosen={background.chosen.value} choose={choose} />
        ))}
        <label class="swatch" title={t('background.add')}>
          <input type="file" accept="image/*" onChange={(event) => void add(event.currentTarget)} />
          <span class="swatch-face add" aria-hidden="true">
            +
          </span>
          <span class="hidden">{t('background.add')}</span>
        </label>
      </div>
      <p class="quiet" role="status">
        {problem ? t(`background.${problem}`) : background.loading.value && t('background.loading')}
      </p>
    </div>
  );
}

interface BackgroundSwatchProps {
  choice: Background;
  /** Name of the group of choices. */
  name: string;
  chosen: Background;
  choose(choice: Background): void;
}

function BackgroundSwatch({ choice, name, chosen, choose }: BackgroundSwatchProps) {
  const text = t(`background.${choice}`);
  return (
    <label class="swatch" title={text}>
      <input type="radio" name={name} checked={choice === chosen} onChange={() => choose(choice)} />
      <span class={`swatch-face ${choice}`} aria-hidden="true">
        {choice === 'picture' && <PictureIcon />}
      </span>
      <span class="hidden">{text}</span>
    </label>
  );
}
