/** List of participants beside the tiles; for a host, also pending requests, moderation actions and the policy. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import { formatNumber, t } from '../i18n/translate';
import type { Named } from '../notifications';
import type { Participant } from '../participant';
import type { Room } from '../room';
import { CameraIcon, CloseIcon, MicIcon, MoreIcon, ScreenIcon } from './icons';
import { HostActions, HostControls, MeetingRules, OwnHostActions } from './HostControls';
import { onEscape, usePanelFocus } from './panelFocus';
import { RaisedHandList } from './RaisedHandList';
import { labelOf, roleLabel } from './messages';
import { Avatar } from './Tile';

const AVATAR_SIZE = 100;

interface ParticipantsPanelProps {
  app: App;
  room: Room;
  openBreakouts(): void;
  close(): void;
}

export function ParticipantsPanel({ app, room, openBreakouts, close }: ParticipantsPanelProps) {
  const participants = room.participants.value;
  const isHost = room.role.value === 'host';
  const panel = usePanelFocus('button');
  return (
    <aside class="panel" aria-label={t('people.title')} ref={panel} onKeyDown={onEscape(close)}>
      <header class="panel-head">
        <h2>
          {t('people.title')} <span class="count">{formatNumber(participants.length + 1 + room.unlistedCount)}</span>
        </h2>
        <button type="button" class="ghost" aria-label={t('people.close')} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body">
        {isHost && <JoinRequests room={room} />}
        {isHost && <SpeakRequests room={room} />}
        <RaisedHandList room={room} />
        {isHost && <MeetingRules app={app} room={room} />}
        <ul class="people" aria-label={t('people.title')}>
          <OwnRow app={app} room={room} isHost={isHost} />
          {participants.map((participant) => (
            <ParticipantRow key={participant.id} room={room} participant={participant} isHost={isHost} />
          ))}
        </ul>
        {room.unlistedCount > 0 && <p class="person">{t('people.audience', { count: room.unlistedCount })}</p>}
      </div>
      {isHost && <HostControls room={room} openBreakouts={openBreakouts} />}
    </aside>
  );
}

function ownName(app: App): string {
  return app.name.value ? t('people.youNamed', { name: app.name.value }) : t('people.you');
}

function JoinRequests({ room: { moderation } }: { room: Room }) {
  return (
    <RequesterList title={t('host.waiting')} requesters={moderation.joinRequests.value}>
      {(requester) => (
        <>
          <button class="button small" type="button" onClick={() => moderation.deny(requester)}>
            {t('request.deny')}
          </button>
          <button class="button small primary" type="button" onClick={() => moderation.admit(requester)}>
            {t('request.admit')}
          </button>
        </>
      )}
    </RequesterList>
  );
}

function SpeakRequests({ room: { moderation } }: { room: Room }) {
  return (
    <RequesterList title={t('host.asking')} requesters={moderation.speakRequests.value}>
      {(requester) => (
        <>
          <button class="button small" type="button" onClick={() => moderation.dismissSpeakRequest(requester.id)}>
            {t('request.notNow')}
          </button>
          <button class="button small primary" type="button" onClick={() => moderation.promote(requester.id)}>
            {t('request.allow')}
          </button>
        </>
      )}
    </RequesterList>
  );
}

interface RequesterListProps {
  title: string;
  requesters: Named[];
  children(requester: Named): ComponentChildren;
}

function RequesterList({ title, requesters, children }: RequesterListProps) {
  if (requesters.length === 0) return null;
  return (
    <section class="requesters" aria-label={title}>
      <h3>{title}</h3>
      <ul aria-label={title}>
        {requesters.map((requester) => (
          <li class="person" key={requester.id} aria-label={labelOf(requester)}>
            <bdi class="person-name">{labelOf(requester)}</bdi>
            {children(requester)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function OwnRow({ app, room, isHost }: { app: App; room: Room; isHost: boolean }) {
  const label = ownName(app);
  return (
    <PersonRow label={label} options={isHost && <OwnHostActions room={room} name={label} />}>
      <ParticipantSummary
        name={app.name.value || t('people.you')}
        label={label}
        role={roleLabel(room.role.value)}
        microphoneOn={app.microphoneLive.value}
        cameraOn={app.cameraLive.value}
        sharing={app.screens.screens.value.length > 0}
      />
    </PersonRow>
  );
}

function ParticipantRow({ room, participant, isHost }: { room: Room; participant: Participant; isHost: boolean }) {
  const label = labelOf(participant.identity);
  return (
    <PersonRow label={label} options={isHost && <HostActions room={room} participant={participant} />}>
      <ParticipantSummary
        name={label}
        label={label}
        role={participant.interrupted.value ? t('people.interrupted') : roleLabel(participant.role.value)}
        microphoneOn={participant.microphoneOn.value}
        cameraOn={participant.cameraOn.value}
        sharing={participant.screens.value.length > 0}
      />
    </PersonRow>
  );
}

/** A row of the list, with a button that unfolds options if there are any. */
function PersonRow({ label, options, children }: { label: string; options: ComponentChildren; children: ComponentChildren }) {
  const open = useSignal(false);
  return (
    <li class="person other" aria-label={label}>
      <div class="person-line">
        {children}
        {options && (
          <button
            type="button"
            class="ghost more"
            aria-label={t('host.options', { name: label })}
            aria-expanded={open.value}
            onClick={() => (open.value = !open.value)}
          >
            <MoreIcon />
          </button>
        )}
      </div>
      {open.value && options}
    </li>
  );
}

interface ParticipantSummaryProps {
  name: string;
  label: string;
  role: string;
  microphoneOn: boolean;
  cameraOn: boolean;
  /** Whether a screen is shared. */
  sharing: boolean;
}

function ParticipantSummary({ name, label, role, microphoneOn, cameraOn, sharing }: ParticipantSummaryProps) {
  return (
    <>
      <Avatar name={name} size={AVATAR_SIZE} />
      <span class="person-name">
        <span class="isolated">{label}</span>
        {role && <span class="role">{role}</span>}
      </span>
      {sharing && (
        <span class="state" role="img" aria-label={t('people.sharing')}>
          <ScreenIcon />
        </span>
      )}
      <span class={`state ${microphoneOn ? '' : 'off'}`} role="img" aria-label={t(microphoneOn ? 'people.unmuted' : 'people.muted')}>
        <MicIcon off={!microphoneOn} />
      </span>
      <span class={`state ${cameraOn ? '' : 'off'}`} role="img" aria-label={t(cameraOn ? 'people.cameraOn' : 'people.cameraOff')}>
        <CameraIcon off={!cameraOn} />
      </span>
    </>
  );
}
