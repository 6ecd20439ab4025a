/** Buttons of a call: microphone, camera, saving data, hand and reactions, request to speak, devices, leave. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { App } from '../app';
import type { Device, DeviceError } from '../capture';
import { t } from '../i18n/translate';
import type { Room } from '../room';
import { keyOf, withKey, type ShortcutAction } from '../shortcuts';
import { ReactionControl } from './ReactionControl';
import { ShareControl } from './ShareControl';
import { CameraIcon, HandIcon, LeaveIcon, MicIcon, SaveDataIcon, TuneIcon } from './icons';
import { deviceErrorText } from './messages';

export function CallControls({ app, room, openDevices }: { app: App; room: Room; openDevices(): void }) {
  const isViewer = room.role.value === 'viewer';
  const cameraLive = app.cameraLive.value;
  return (
    <section class="controls" aria-label={t('controls.label')}>
      <MicrophoneControl app={app} isViewer={isViewer} />
      <Control
        label={cameraLabel(isViewer, app.saveData.value, cameraLive)}
        shortcut="camera"
        off={!cameraLive}
        problem={problemText('camera', isViewer ? null : app.capture.cameraError.value)}
        unavailable={isViewer || app.saveData.value}
        onClick={() => app.toggle('camera')}
      >
        <CameraIcon off={!cameraLive} />
      </Control>
      <ShareControl app={app} isViewer={isViewer} />
      <Control label={t('controls.saveData')} pressed={app.saveData.value} onClick={() => app.toggleSaveData()}>
        <SaveDataIcon />
      </Control>
      <ReactionControl room={room} />
      {isViewer && (
        <button
          type="button"
          class="ask"
          aria-disabled={room.speakRequest.pending.value}
          onClick={() => room.speakRequest.send()}
        >
          <HandIcon />
          <span>{t(room.speakRequest.pending.value ? 'controls.asked' : 'controls.askToSpeak')}</span>
        </button>
      )}
      <Control label={t('devices.title')} onClick={openDevices}>
        <TuneIcon />
      </Control>
      <LeaveButton app={app} />
    </section>
  );
}

export function MicrophoneControl({ app, isViewer }: { app: App; isViewer: boolean }) {
  const isLive = app.microphoneLive.value;
  return (
    <Control
      label={microphoneLabel(isViewer, isLive)}
      shortcut="microphone"
      off={!isLive}
      problem={microphoneProblem(app, isViewer)}
      unavailable={isViewer}
      onClick={() => app.toggle('microphone')}
    >
      <MicIcon off={!isLive} />
    </Control>
  );
}

export function LeaveButton({ app }: { app: App }) {
  return (
    <button type="button" class="leave" aria-label={t('controls.leave')} title={t('controls.leave')} onClick={() => app.leave()}>
      <LeaveIcon />
      <span>{t('controls.leave')}</span>
    </button>
  );
}

function microphoneLabel(isViewer: boolean, live: boolean): string {
  if (isViewer) return t('controls.microphoneNotForViewers');
  return t(live ? 'device.mute' : 'device.unmute');
}

function cameraLabel(isViewer: boolean, saving: boolean, live: boolean): string {
  if (isViewer) return t('controls.cameraNotForViewers');
  if (saving) return t('controls.cameraPaused');
  return t(live ? 'device.cameraOff' : 'device.cameraOn');
}

/** What is wrong with the microphone; empty when all is well. Talking while muted is no fault of it. */
function microphoneProblem({ capture }: App, isViewer: boolean): string {
  if (isViewer) return '';
  if (capture.microphoneProblem.value === 'silent') return t('microphone.silent');
  return problemText('microphone', capture.microphoneError.value);
}

function problemText(device: Device, error: DeviceError | null): string {
  return error ? deviceErrorText(device, error) : '';
}

interface ControlProps {
  label: string;
  shortcut?: ShortcutAction;
  off?: boolean;
  /** State of a switch; absent for other buttons. */
  pressed?: boolean;
  /** What is wrong with the device; empty or absent when all is well. */
  problem?: string;
  /** Keeps focus and label, but does nothing. */
  unavailable?: boolean;
  children: ComponentChildren;
  onClick(): void;
}

function Control({ label, shortcut, off = false, problem = '', unavailable = false, pressed, children, onClick }: ControlProps) {
  const id = useId();
  const named = shortcut ? withKey(label, shortcut) : label;
  return (
    <button
      type="button"
      class={`round ${unavailable ? 'unavailable' : off ? 'off' : ''}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-disabled={unavailable}
      aria-keyshortcuts={shortcut && keyOf(shortcut)}
      aria-describedby={problem ? id : undefined}
      title={problem || named}
      onClick={onClick}
    >
      {children}
      {problem && (
        <span class="problem-badge" aria-hidden="true">
          !
        </span>
      )}
      {problem && (
        <span id={id} hidden>
          {problem}
        </span>
      )}
    </button>
  );
}
