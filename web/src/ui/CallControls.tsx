/** Buttons of a call: microphone, camera, saving data, devices or request to speak, leave. */
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import type { Room } from '../room';
import { CameraIcon, HandIcon, LeaveIcon, MicIcon, SaveDataIcon, TuneIcon } from './icons';

export function CallControls({ app, room, openDevices }: { app: App; room: Room; openDevices(): void }) {
  const isViewer = room.role.value === 'viewer';
  const microphoneLive = app.microphoneLive.value;
  const cameraLive = app.cameraLive.value;
  return (
    <div class="controls" role="group" aria-label="Call controls">
      <Control
        label={isViewer ? 'Microphone: not for viewers' : microphoneLive ? 'Mute microphone' : 'Unmute microphone'}
        shortcut="m"
        off={!microphoneLive}
        unavailable={isViewer}
        onClick={() => app.toggle('microphone')}
      >
        <MicIcon off={!microphoneLive} />
      </Control>
      <Control
        label={cameraLabel(isViewer, app.saveData.value, cameraLive)}
        shortcut="v"
        off={!cameraLive}
        unavailable={isViewer || app.saveData.value}
        onClick={() => app.toggle('camera')}
      >
        <CameraIcon off={!cameraLive} />
      </Control>
      <Control label="Audio and shared screen only" pressed={app.saveData.value} onClick={() => app.toggleSaveData()}>
        <SaveDataIcon />
      </Control>
      {isViewer ? (
        <button
          type="button"
          class="ask"
          aria-disabled={room.speakRequest.pending.value}
          onClick={() => room.speakRequest.send()}
        >
          <HandIcon />
          <span>{room.speakRequest.pending.value ? 'Asked' : 'Ask to speak'}</span>
        </button>
      ) : (
        <Control label="Devices" onClick={openDevices}>
          <TuneIcon />
        </Control>
      )}
      <button type="button" class="leave" aria-label="Leave" title="Leave" onClick={() => app.leave()}>
        <LeaveIcon />
        <span>Leave</span>
      </button>
    </div>
  );
}

function cameraLabel(isViewer: boolean, saving: boolean, live: boolean): string {
  if (isViewer) return 'Camera: not for viewers';
  if (saving) return 'Camera: paused to save data';
  return live ? 'Turn camera off' : 'Turn camera on';
}

interface ControlProps {
  label: string;
  shortcut?: string;
  off?: boolean;
  /** State of a switch; absent for other buttons. */
  pressed?: boolean;
  /** Keeps focus and label, but does nothing. */
  unavailable?: boolean;
  children: ComponentChildren;
  onClick(): void;
}

function Control({ label, shortcut, off = false, unavailable = false, pressed, children, onClick }: ControlProps) {
  return (
    <button
      type="button"
      class={`round ${unavailable ? 'unavailable' : off ? 'off' : ''}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-disabled={unavailable}
      aria-keyshortcuts={shortcut}
      title={shortcut ? `${label} (${shortcut.toUpperCase()})` : label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
