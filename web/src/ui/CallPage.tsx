/** Page of a call: header, tiles, controls, and panels over them. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { App } from '../app';
import { CallLayout } from '../callLayout';
import { formatNumber, t } from '../i18n/translate';
import type { Notification } from '../notificationList';
import type { Participant } from '../participant';
import { PushToTalk } from '../pushToTalk';
import type { Room } from '../room';
import { keyOf, withKey, type ShortcutHandlers } from '../shortcuts';
import { BreakoutBanner } from './BreakoutBanner';
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
import { ShortcutSheet } from './ShortcutSheet';
import { useSmallWindow } from './SmallWindow';
import { Stage } from './Stage';
import { UnmuteRequest } from './UnmuteRequest';
import { labelOf, notificationText } from './messages';
import { useShortcuts } from './useShortcuts';

const loadChatPanel = () => import('./ChatPanel').then(({ ChatPanel }) => ChatPanel);
const ChatPanel = onDemand(loadChatPanel);
const BreakoutDialog = onDemand(() => import('./BreakoutDialog').then((module) => module.BreakoutDialog));
const CaptionsSlot = onDemand(() => import('./CaptionsSlot').then((module) => module.CaptionsSlot));
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
  const captionsShown = useSignal(false);
  const failToShowCaptions = () => {
    captionsShown.value = false;
    room.notify({ code: 'captionsNotLoaded' }, 'bad');
  };
  const breakoutsOpen = useSignal(false);
  const failToOpenBreakouts = () => {
    breakoutsOpen.value = false;
    room.notify({ code: 'breakoutsNotLoaded' }, 'bad');
  };
  // The button that was pressed is gone: the keyboard goes on here, and screen readers say where that is.
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const layout = useMemo(() => new CallLayout(), [room]);
  const smallWindow = useSmallWindow({ app, room, layout });
  const sheetOpen = useSignal(false);
  const shortcuts: ShortcutHandlers = {
    ...useDeviceShortcuts(app),
    hand: { press: () => hands.toggle() },
    chat: { press: toggleChat },
    participants: { press: togglePanel },
    statistics: { press: toggleStats },
    ...(document.fullscreenEnabled && { fullScreen: { press: toggleFullScreen } }),
    sheet: { press: () => (sheetOpen.value = true) },
  };
  useShortcuts(shortcuts);
  useChatLoaded();
  const participants = room.participants.value;
  return (
    <div class="call">
      <header class="bar">
        <Mark />
        <div class="bar-title">
          <h1 class="bar-room" tabIndex={-1} ref={heading} title={app.roomTitle.value}>
            <bdi>{app.roomTitle.value}</bdi>
          </h1>
          <ConnectionStatus room={room} />
        </div>
        <div class="bar-end">
          <LayoutMenu layout={layout} smallWindow={smallWindow} captionsShown={captionsShown} showStats={toggleStats} openShortcuts={() => (sheetOpen.value = true)} />
          <CopyLinkButton link={app.link} />
          <ChatButton room={room} onClick={toggleChat} />
          <button
            type="button"
            class="chip"
            aria-label={t('people.count', { count: participants.length + 1 })}
            aria-expanded={panelOpen.value}
            aria-keyshortcuts={keyOf('participants')}
            title={withKey(t('people.title'), 'participants')}
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
          {captionsShown.value && <CaptionsSlot app={app} room={room} onFailure={failToShowCaptions} />}
          <div class="notices">
            <ConnectionBanner app={app} room={room} />
            <BreakoutBanner room={room} manage={() => (breakoutsOpen.value = true)} />
            <DeviceProblem app={app} openDevices={() => (devicesOpen.value = true)} />
            <UnmuteRequest app={app} room={room} />
            {!panelOpen.value && <HostRequests room={room} showPanel={togglePanel} />}
            <Notifications room={room} />
          </div>
        </div>
        {panelOpen.value && (
          <ParticipantsPanel
            app={app}
            room={room}
            openBreakouts={() => (breakoutsOpen.value = true)}
            close={() => (panelOpen.value = false)}
          />
        )}
        {chat.isOpen.value && (
          <ChatPanel room={room} close={() => chat.close()} onFailure={() => failToOpen(room)} />
        )}
        {statsShown.value && (
          <StatsPanel room={room} close={() => (statsShown.value = false)} onFailure={() => failToShowStats(app, room)} />
        )}
      </main>
      <CallControls app={app} room={room} openDevices={() => (devicesOpen.value = true)} />
      {devicesOpen.value && <DevicesDialog app={app} isViewer={room.role.value === 'viewer'} close={() => (devicesOpen.value = false)} />}
      {breakoutsOpen.value && room.role.value === 'host' && (
        <BreakoutDialog room={room} close={() => (breakoutsOpen.value = false)} onFailure={failToOpenBreakouts} />
      )}
      {sheetOpen.value && <ShortcutSheet handlers={shortcuts} close={() => (sheetOpen.value = false)} />}
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
          output={app.capture.output}
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

function useDeviceShortcuts(app: App): ShortcutHandlers {
  const pushToTalk = useMemo(
    () => new PushToTalk({ isLive: () => app.microphoneLive.value, toggle: () => app.toggle('microphone') }),
    [app],
  );
  return {
    microphone: { press: () => app.toggle('microphone') },
    talk: { press: () => pushToTalk.press(), release: () => pushToTalk.release() },
    camera: { press: () => app.toggle('camera') },
  };
}
