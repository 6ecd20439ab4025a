/** What the person can do in a call. */
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import type { Room } from '../room';
import { CameraIcon, HandIcon, LeaveIcon, MicIcon, TuneIcon } from './icons';

export function Controls({ app, room, openDevices }: { app: App; room: Room; openDevices(): void }) {
  const watching = room.role.value === 'viewer';
  const heard = app.heard.value;
  const seen = app.seen.value;
  return (
    <div class="controls" role="group" aria-label="Call controls">
      <Control
        label={watching ? 'Microphone: not for viewers' : heard ? 'Mute microphone' : 'Unmute microphone'}
        shortcut="m"
        off={!heard}
        barred={watching}
        onClick={() => app.toggle('microphone')}
      >
        <MicIcon off={!heard} />
      </Control>
      <Control
        label={watching ? 'Camera: not for viewers' : seen ? 'Turn camera off' : 'Turn camera on'}
        shortcut="v"
        off={!seen}
        barred={watching}
        onClick={() => app.toggle('camera')}
      >
        <CameraIcon off={!seen} />
      </Control>
      {watching ? (
        <button
          type="button"
          class="ask"
          aria-disabled={room.wishing.value}
          onClick={() => room.askToSpeak()}
        >
          <HandIcon />
          <span>{room.wishing.value ? 'Asked' : 'Ask to speak'}</span>
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

interface ControlProps {
  label: string;
  shortcut?: string;
  off?: boolean;
  /** It can be reached and says why it does nothing. */
  barred?: boolean;
  children: ComponentChildren;
  onClick(): void;
}

function Control({ label, shortcut, off = false, barred = false, children, onClick }: ControlProps) {
  return (
    <button
      type="button"
      class={`round ${barred ? 'barred' : off ? 'off' : ''}`}
      aria-label={label}
      aria-disabled={barred}
      aria-keyshortcuts={shortcut}
      title={shortcut ? `${label} (${shortcut.toUpperCase()})` : label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
