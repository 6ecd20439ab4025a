/** Choice of the speaker, with a test sound. Where the browser lets nobody choose, only the test is left. */
import { useSignal } from '@preact/signals';
import type { AudioOutput } from '../audioOutput';
import { t } from '../i18n/translate';
import { playTestSound } from '../testSound';
import { deviceChoices } from './DevicePickers';
import { SelectField } from './SelectField';

export function SpeakerPicker({ output }: { output: AudioOutput }) {
  const outputs = output.outputs.value;
  const systemChoice = { value: '', text: t('device.systemSpeaker') };
  return (
    <div class="speaker">
      {(outputs.length > 0 || output.canAsk) && (
        <SelectField
          label={t('device.speaker')}
          choices={[systemChoice, ...deviceChoices(outputs, (number) => t('device.speakerNumber', { number }))]}
          chosen={output.sinkId.value}
          choose={(id) => output.choose(id)}
        />
      )}
      {output.canAsk && (
        <button type="button" class="button" onClick={() => void output.ask()}>
          {t('device.otherSpeaker')}
        </button>
      )}
      <TestSoundButton output={output} />
      {output.isReplaced.value && (
        <p class="field-problem" role="alert">
          {t('device.speakerReplaced')}
        </p>
      )}
    </div>
  );
}

function TestSoundButton({ output }: { output: AudioOutput }) {
  const state = useSignal<'idle' | 'playing' | 'failed'>('idle');
  const isPlaying = state.value === 'playing';
  const play = () => {
    if (isPlaying) return;
    state.value = 'playing';
    playTestSound((element) => output.apply(element)).then(
      () => (state.value = 'idle'),
      () => (state.value = 'failed'),
    );
  };
  return (
    <>
      <button type="button" class="button" aria-disabled={isPlaying} onClick={play}>
        {t(isPlaying ? 'device.testSoundPlaying' : 'device.testSound')}
      </button>
      {state.value === 'failed' && (
        <p class="field-problem" role="alert">
          {t('device.testSoundFailed')}
        </p>
      )}
    </>
  );
}
