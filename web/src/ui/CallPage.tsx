/** Page of a call: header, tiles, controls, and panels over them. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { App } from '../app';
import { CallLayout } from '../callLayout';
import { formatNumber, t } from '../i18n/translate';
import type { Notification } from '../notificationList';
import type { Participant } from '../participant';
import type { Room } from '../room';
import { CallControls } from './CallControls';
import { ChatButton } from './ChatButton';
import { ConnectionBanner, ConnectionStatus } from './ConnectionStatus';
import { CopyLinkButton } from './CopyLinkButton';
import { DeviceProblem } from './DeviceProblem';
import { DevicesDialog } from './DevicesDialog';
import { LeaveDialog } from './LeaveDialog';
import { CloseIcon, Mark, PeopleIcon } from './icons';
import { LayoutMenu, toggleFullScreen } from './LayoutMenu';
import { onDemand } from './onDemand';
import { ParticipantsPanel } from './ParticipantsPanel';
import { HostRequests } from './HostRequests';
import { RemoteAudio } from './RemoteAudio';
import { Stage } from './Stage';
import { UnmuteRequest } from './UnmuteRequest';
import { labelOf, notificationText } from './messages';

const loadChatPanel = () => import('./ChatPanel').then(({ ChatPanel }) => ChatPanel);
const ChatPanel = onDemand(loadChatPanel);
const StatsPanel = onDemand(() => import('./StatsPanel').then(({ StatsPanel }) => StatsPanel));

export function CallPage({ app, room }: { app: App; room: Room }) {
  const panelOpen = useSignal(false);
  const { chat, hands } = room.conversation;
  const { statsShown } = app;
  // One panel at a time: the tiles need the rest of the width.
  const togglePanel = () => {
    panelOpen.value = !panelOpen.value;
    if (!panelOpen.value) return;
    chat.close();
    statsShown.value = false;
  };
  const toggleChat = () => {
    if (chat.isOpen.value) return chat.close();
    panelOpen.value = false;
    statsShown.value = false;
    chat.open();
  };
  const toggleStats = () => (statsShown.value = !statsShown.value);
  useSignalEffect(() => {
    if (!statsShown.value) return;
    panelOpen.value = false;
    chat.close();
  });
  const devicesOpen = useSignal(false);
  // The button that was pressed is gone: the keyboard goes on here, and screen readers say where that is.
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const layout = useMemo(() => new CallLayout(), [room]);
  useShortcuts({
    m: () => app.toggle('microphone'),
    v: () => app.toggle('camera'),
    p: togglePanel,
    c: toggleChat,
    h: () => hands.toggle(),
    s: toggleStats,
    f: toggleFullScreen,
  });
  useChatLoaded();
  const participants = room.participants.value;
  return (
    <div class="call">
      <header class="bar">
        <Mark />
        <h1 class="bar-room" tabIndex={-1} ref={heading} title={app.roomTitle.value}>
          <bdi>{app.roomTitle.value}</bdi>
        </h1>
        <ConnectionStatus room={room} />
        <div class="bar-end">
          <LayoutMenu layout={layout} showStats={toggleStats} />
          <CopyLinkButton link={app.link} />
          <ChatButton room={room} onClick={toggleChat} />
          <button
            type="button"
            class="chip"
            aria-label={t('people.count', { count: participants.length + 1 })}
            aria-expanded={panelOpen.value}
            aria-keyshortcuts="p"
            title={`${t('people.title')} (P)`}
            onClick={togglePanel}
          >
            <PeopleIcon />
            <span>{formatNumber(participants.length + 1)}</span>
          </button>
        </div>
      </header>
      <main class="call-main">
        <div class="floor">
          <Stage app={app} room={room} layout={layout} />
          <div class="notices">
            <ConnectionBanner app={app} room={room} />
            <DeviceProblem app={app} openDevices={() => (devicesOpen.value = true)} />
            <UnmuteRequest app={app} room={room} />
            {!panelOpen.value && <HostRequests room={room} showPanel={togglePanel} />}
            <Notifications room={room} />
          </div>
        </div>
        {panelOpen.value && <ParticipantsPanel app={app} room={room} close={() => (panelOpen.value = false)} />}
        {chat.isOpen.value && (
          <ChatPanel room={room} close={() => chat.close()} onFailure={() => failToOpen(room)} />
        )}
        {statsShown.value && (
          <StatsPanel room={room} close={() => (statsShown.value = false)} onFailure={() => failToShowStats(app, room)} />
        )}
      </main>
      <CallControls app={app} room={room} openDevices={() => (devicesOpen.value = true)} />
      {devicesOpen.value && <DevicesDialog capture={app.capture} close={() => (devicesOpen.value = false)} />}
      {app.leaveGuard.asking.value && <LeaveDialog guard={app.leaveGuard} />}
      {participants.map((participant) => (
        <Sounds key={participant.id} app={app} participant={participant} />
      ))}
    </div>
  );
}

/** Loads the code of the chat in advance, so that it opens at once, also while the server is out of reach. */
function useChatLoaded(): void {
  useEffect(() => void loadChatPanel().catch(() => undefined), []);
}

function failToOpen(room: Room): void {
  room.conversation.chat.close();
  room.notify({ code: 'chatNotLoaded' }, 'bad');
}

function failToShowStats(app: App, room: Room): void {
  app.statsShown.value = false;
  room.notify({ code: 'statsNotLoaded' }, 'bad');
}

/** What is heard of a participant: the voice, and the sound of shared screens. */
function Sounds({ app, participant }: { app: App; participant: Participant }) {
  const name = labelOf(participant.identity);
  return participant.sounds.value.map(
    ({ id, source, track }) =>
      track.value && (
        <RemoteAudio
          key={id}
          track={track.value}
          label={t(source === 'screen-audio' ? 'screen.sound' : 'people.voice', { name })}
          blocked={app.audioBlocked}
        />
      ),
  );
}

function Notifications({ room }: { room: Room }) {
  return (
    <div role="log" aria-label={t('notifications.label')}>
      <ul class="notifications">
        {room.notifications.value.map((notification) => (
          <li key={notification.id} class={`notification ${notification.tone}`}>
            <span>{notificationText(notification.content)}</span>
            <NotificationButton room={room} notification={notification} />
            <button
              type="button"
              class="notification-close"
              aria-label={t('notifications.dismiss')}
              onClick={() => room.dismissNotification(notification.id)}
            >
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function NotificationButton({ room, notification }: { room: Room; notification: Notification }) {
  const { id, content, action } = notification;
  if (!action || content.code !== 'saveDataOffer') return null;
  const run = () => {
    action();
    room.dismissNotification(id);
  };
  return (
    <button type="button" class="button small" onClick={run}>
      {t('notification.saveDataOffer.button')}
    </button>
  );
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
