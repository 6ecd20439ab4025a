/** Captions under the stage: who says what, and the switch for captions of the own voice. */
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { App } from '../app';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import { SpeechCaptions, findRecognition } from '../speechCaptions';
import '../styles/captions.css';
import { ConfirmDialog } from './ConfirmDialog';
import { labelOf } from './messages';

export function CaptionsSlot({ app, room }: { app: App; room: Room }) {
  const { captions } = room.conversation;
  const lines = captions.lines.value;
  const spoken = useComputed(() => captions.lines.value.filter(({ isFinal }) => isFinal));
  return (
    <section class="captions" aria-label={t('captions.label')}>
      {/* Screen readers would read words that still change again and again. */}
      <div class="captions-lines" aria-hidden="true">
        {lines.map(({ id, speaker, text }) => (
          <p key={id}>
            <strong class="isolated">{labelOf(speaker)}</strong> <bdi>{text}</bdi>
          </p>
        ))}
        {lines.length === 0 && <p class="captions-empty">{t('captions.empty')}</p>}
      </div>
      <div class="hidden" role="log" aria-live="polite" aria-label={t('captions.label')}>
        {spoken.value.map(({ id, speaker, text }) => (
          <p key={id}>{t('captions.said', { name: labelOf(speaker), text })}</p>
        ))}
      </div>
      <OwnCaptions app={app} room={room} />
    </section>
  );
}

function OwnCaptions({ app, room }: { app: App; room: Room }) {
  const asking = useSignal(false);
  const speech = useSpeech(app, room);
  if (!speech || room.role.value === 'viewer') return null;
  const on = speech.on.value;
  const problem = speech.problem.value;
  return (
    <div class="captions-own">
      {problem && <p role="status">{t(`captions.${problem}`)}</p>}
      <button type="button" class="button small" aria-pressed={on} onClick={() => (on ? speech.stop() : (asking.value = true))}>
        {t(on ? 'captions.stopOwn' : 'captions.startOwn')}
      </button>
      {asking.value && (
        <ConfirmDialog
          label={t('captions.consentTitle')}
          cancel={t('captions.refuse')}
          confirm={t('captions.agree')}
          tone="primary"
          onConfirm={() => speech.start()}
          close={() => (asking.value = false)}
        >
          <p>{t('captions.consent')}</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

/** Captions of the own voice, for as long as the slot is shown; null where the browser recognises no speech. */
function useSpeech(app: App, room: Room): SpeechCaptions | null {
  const speech = useMemo(() => {
    const create = findRecognition();
    if (!create) return null;
    const { captions } = room.conversation;
    const created: SpeechCaptions = new SpeechCaptions(create, navigator.language, (text, isFinal) => {
      const own = { id: room.ownId, name: app.name.value || t('people.you') };
      void captions.send(own, text, isFinal).then((taken) => {
        if (!taken) created.stop();
      });
    });
    return created;
  }, [app, room]);
  useSignalEffect(() => speech?.setMicrophoneLive(app.microphoneLive.value && room.status.value === 'live'));
  useEffect(() => () => speech?.stop(), [speech]);
  return speech;
}
