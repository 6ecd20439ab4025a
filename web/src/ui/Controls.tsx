/** What the person can do in a call. */
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import { CameraIcon, LeaveIcon, MicIcon, TuneIcon } from './icons';

export function Controls({ app, openDevices }: { app: App; openDevices(): void }) {
  const { capture } = app;
  const microphoneOn = capture.microphoneOn.value;
  const cameraOn = capture.cameraOn.value;
  return (
    <div class="controls" role="group" aria-label="Call controls">
      <Control
        label={microphoneOn ? 'Mute microphone' : 'Unmute microphone'}
        shortcut="m"
        off={!microphoneOn}
        onClick={() => void capture.toggle('microphone')}
      >
        <MicIcon off={!microphoneOn} />
      </Control>
      <Control
        label={cameraOn ? 'Turn camera off' : 'Turn camera on'}
        shortcut="v"
        off={!cameraOn}
        onClick={() => void capture.toggle('camera')}
      >
        <CameraIcon off={!cameraOn} />
      </Control>
      <Control label="Devices" onClick={openDevices}>
        <TuneIcon />
      </Control>
      <button type="button" class="leave" aria-label="Leave" title="Leave" onClick={() => app.leave()}>
        <LeaveIcon />
        <span>Leave</span>
      </button>
    </div>
  );
}

interface ControlProps {
  label: string;
  shortcut?: string;
  off?: boolean;
  children: ComponentChildren;
  onClick(): void;
}

function Control({ label, shortcut, off = false, children, onClick }: ControlProps) {
  return (
    <button
      type="button"
      class={`round ${off ? 'off' : ''}`}
      aria-label={label}
      aria-keyshortcuts={shortcut}
      title={shortcut ? `${label} (${shortcut.toUpperCase()})` : label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
