/** Level meter of the microphone. */
import type { Capture } from '../capture';
import { t } from '../i18n/translate';
import { MicIcon } from './icons';

const BARS = 24;
/** Speech at a normal distance reaches about this level. */
const SPEECH_LEVEL = 0.35;

export function MicrophoneLevel({ capture }: { capture: Capture }) {
  const on = capture.microphoneOn.value;
  const level = capture.level.value;
  const lit = Math.round(level * BARS);
  return (
    <div class="meter">
      <MicIcon off={!on} />
      <div
        class="meter-bars"
        role="meter"
        aria-label={t('meter.label')}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(level * 100)}
      >
        {Array.from({ length: BARS }, (_, index) => (
          <span key={index} class={index < lit ? 'lit' : ''} />
        ))}
      </div>
      <span class="meter-word">{t(!on ? 'meter.muted' : level > SPEECH_LEVEL ? 'meter.heard' : 'meter.silent')}</span>
    </div>
  );
}
