/** Page of a call: header, tiles, controls, and panels over them. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import type { NotificationAction } from '../notificationList';
import type { Room } from '../room';
import { CallControls } from './CallControls';
import { CopyLinkButton } from './CopyLinkButton';
import { DevicesDialog } from './DevicesDialog';
import { CloseIcon, Mark, PeopleIcon, SoundIcon } from './icons';
import { ParticipantsPanel } from './ParticipantsPanel';
import { HostRequests } from './HostRequests';
import { RemoteAudio } from './RemoteAudio';
import { TileGrid } from './TileGrid';
import { deviceErrorText } from './messages';

export function CallPage({ app, room }: { app: App; room: Room }) {
  const panelOpen = useSignal(false);
  const devicesOpen = useSignal(false);
  useShortcuts({
    m: () => app.toggle('microphone'),
    v: () => app.toggle('camera'),
    p: () => (panelOpen.value = !panelOpen.value),
  });
  useDeviceErrors(app, room);
  const participants = room.participants.value;
  return (
    <div class="call">
      <header class="bar">
        <Mark />
        <h1 class="bar-room" title={room.id}>
          {room.id}
        </h1>
        <ConnectionStatus room={room} />
        <div class="bar-end">
          <CopyLinkButton link={app.link} />
          <button
            type="button"
            class="chip"
            aria-label={`Participants (${participants.length + 1})`}
            aria-expanded={panelOpen.value}
            aria-keyshortcuts="p"
            title="Participants (P)"
            onClick={() => (panelOpen.value = !panelOpen.value)}
          >
            <PeopleIcon />
            <span>{participants.length + 1}</span>
          </button>
        </div>
      </header>
      <main class="call-main">
        <div class="floor">
          <TileGrid app={app} room={room} />
          <div class="notices">
            <Banner app={app} room={room} />
            {!panelOpen.value && <HostRequests room={room} showPanel={() => (panelOpen.value = true)} />}
            <Notifications room={room} />
          </div>
        </div>
        {panelOpen.value && <ParticipantsPanel app={app} room={room} close={() => (panelOpen.value = false)} />}
      </main>
      <CallControls app={app} room={room} openDevices={() => (devicesOpen.value = true)} />
      {devicesOpen.value && <DevicesDialog capture={app.capture} close={() => (devicesOpen.value = false)} />}
      {participants.map(
        (participant) =>
          participant.audio.value && (
            <RemoteAudio
              key={participant.id}
              track={participant.audio.value}
              label={`${participant.label}'s voice`}
              blocked={app.audioBlocked}
            />
          ),
      )}
    </div>
  );
}

function ConnectionStatus({ room }: { room: Room }) {
  const status = room.status.value;
  const [tone, text] =
    status === 'joining'
      ? ['waiting', 'Connecting…']
      : status === 'reconnecting'
        ? ['bad', 'Reconnecting…']
        : room.recovery.impaired.value
          ? ['bad', 'Poor connection']
          : ['good', 'Connected'];
  return (
    <p class={`connection ${tone}`} role="status" aria-label="Connection">
      <span class="dot" aria-hidden="true" />
      <span class="connection-text">{text}</span>
    </p>
  );
}

/** A present problem, with the button that may solve it. */
function Banner({ app, room }: { app: App; room: Room }) {
  if (room.status.value === 'reconnecting') {
    return (
      <div class="banner" role="alert">
        <span>The connection was lost. Getting you back in…</span>
        <button class="button small" type="button" onClick={() => room.retryNow()}>
          Try now
        </button>
      </div>
    );
  }
  if (app.audioBlocked.value) {
    return (
      <div class="banner" role="alert">
        <SoundIcon />
        <span>Your browser holds back the sound.</span>
        <button class="button small" type="button" onClick={() => (app.audioBlocked.value = false)}>
          Play sound
        </button>
      </div>
    );
  }
  return null;
}

function Notifications({ room }: { room: Room }) {
  return (
    <ul class="notifications" role="log" aria-label="Messages">
      {room.notifications.value.map((notification) => (
        <li key={notification.id} class={`notification ${notification.tone}`}>
          <span>{notification.text}</span>
          {notification.action && <NotificationButton room={room} id={notification.id} action={notification.action} />}
          <button type="button" class="notification-close" aria-label="Dismiss" onClick={() => room.dismissNotification(notification.id)}>
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}

function NotificationButton({ room, id, action }: { room: Room; id: number; action: NotificationAction }) {
  const run = () => {
    action.run();
    room.dismissNotification(id);
  };
  return (
    <button type="button" class="button small" onClick={run}>
      {action.label}
    </button>
  );
}

/** Shows a notification when a device fails during the call. */
function useDeviceErrors(app: App, room: Room): void {
  const camera = app.capture.cameraError.value;
  const microphone = app.capture.microphoneError.value;
  useEffect(() => {
    if (camera) room.notify(deviceErrorText(camera === microphone ? 'both' : 'camera', camera), 'bad');
    if (microphone && microphone !== camera) room.notify(deviceErrorText('microphone', microphone), 'bad');
  }, [camera, microphone, room]);
}

/** Runs actions on single letters, except while the person types. */
function useShortcuts(actions: Record<string, () => void>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (target?.closest('input, select, textarea, dialog')) return;
      actions[event.key.toLowerCase()]?.();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });
}
