/** List of participants beside the tiles; for a host, also pending requests, moderation actions and the policy. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import { isInvitation } from '../pageUrl';
import type { Requester } from '../moderation';
import type { Participant } from '../participant';
import type { Policy } from '../protocol';
import type { Room } from '../room';
import { CameraIcon, CloseIcon, MicIcon, MoreIcon } from './icons';
import { RemoveParticipantDialog } from './RemoveParticipantDialog';
import { SelectField } from './SelectField';
import { POLICY_LABEL, ROLE_LABEL } from './messages';
import { Avatar } from './Tile';

const AVATAR_SIZE = 100;

export function ParticipantsPanel({ app, room, close }: { app: App; room: Room; close(): void }) {
  const participants = room.participants.value;
  const isHost = room.role.value === 'host';
  return (
    <aside class="panel" aria-label="Participants">
      <header class="panel-head">
        <h2>
          Participants <span class="count">{participants.length + 1 + room.unlistedCount}</span>
        </h2>
        <button type="button" class="ghost" aria-label="Close participants" onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body">
        {isHost && <JoinRequests room={room} />}
        {isHost && <SpeakRequests room={room} />}
        <ul class="people" aria-label="Participants">
          <li class="person" aria-label={ownName(app)}>
            <ParticipantSummary
              name={app.name.value || 'You'}
              label={ownName(app)}
              role={ROLE_LABEL[room.role.value]}
              microphoneOn={app.microphoneLive.value}
              cameraOn={app.cameraLive.value}
            />
          </li>
          {participants.map((participant) => (
            <ParticipantRow key={participant.id} room={room} participant={participant} isHost={isHost} />
          ))}
        </ul>
        {room.unlistedCount > 0 && <p class="person">and {room.unlistedCount} more who only watch and listen</p>}
      </div>
      {isHost && <PolicyPicker app={app} room={room} />}
    </aside>
  );
}

function ownName(app: App): string {
  return app.name.value ? `${app.name.value} (you)` : 'You';
}

function JoinRequests({ room: { moderation } }: { room: Room }) {
  return (
    <RequesterList title="Waiting to come in" requesters={moderation.joinRequests.value}>
      {(requester) => (
        <>
          <button class="button small" type="button" onClick={() => moderation.deny(requester)}>
            Deny
          </button>
          <button class="button small primary" type="button" onClick={() => moderation.admit(requester)}>
            Admit
          </button>
        </>
      )}
    </RequesterList>
  );
}

function SpeakRequests({ room: { moderation } }: { room: Room }) {
  return (
    <RequesterList title="Asking to speak" requesters={moderation.speakRequests.value}>
      {(requester) => (
        <>
          <button class="button small" type="button" onClick={() => moderation.dismissSpeakRequest(requester.id)}>
            Not now
          </button>
          <button class="button small primary" type="button" onClick={() => moderation.promote(requester.id)}>
            Allow
          </button>
        </>
      )}
    </RequesterList>
  );
}

interface RequesterListProps {
  title: string;
  requesters: Requester[];
  children(requester: Requester): ComponentChildren;
}

function RequesterList({ title, requesters, children }: RequesterListProps) {
  if (requesters.length === 0) return null;
  return (
    <section class="requesters" aria-label={title}>
      <h3>{title}</h3>
      <ul aria-label={title}>
        {requesters.map((requester) => (
          <li class="person" key={requester.id} aria-label={requester.label}>
            <span class="person-name">{requester.label}</span>
            {children(requester)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function ParticipantRow({ room, participant, isHost }: { room: Room; participant: Participant; isHost: boolean }) {
  const open = useSignal(false);
  const { label } = participant;
  return (
    <li class="person other" aria-label={label}>
      <div class="person-line">
        <ParticipantSummary
          name={label}
          label={label}
          role={ROLE_LABEL[participant.role.value]}
          microphoneOn={participant.microphoneOn.value}
          cameraOn={participant.cameraOn.value}
        />
        {isHost && (
          <button
            type="button"
            class="ghost more"
            aria-label={`Options for ${label}`}
            aria-expanded={open.value}
            onClick={() => (open.value = !open.value)}
          >
            <MoreIcon />
          </button>
        )}
      </div>
      {isHost && open.value && <HostActions room={room} participant={participant} />}
    </li>
  );
}

/** Moderation actions of a host on one participant. */
function HostActions({ room: { moderation }, participant }: { room: Room; participant: Participant }) {
  const confirmingRemoval = useSignal(false);
  const isViewer = participant.role.value === 'viewer';
  return (
    <div class="options" role="group" aria-label={`Options for ${participant.label}`}>
      <button
        class="button small"
        type="button"
        disabled={!participant.microphoneOn.value}
        onClick={() => moderation.mute(participant.id)}
      >
        Mute
      </button>
      <button
        class="button small"
        type="button"
        onClick={() => (isViewer ? moderation.promote(participant.id) : moderation.demote(participant.id))}
      >
        {isViewer ? 'Make speaker' : 'Make viewer'}
      </button>
      <button class="button small bad" type="button" onClick={() => (confirmingRemoval.value = true)}>
        Remove
      </button>
      {confirmingRemoval.value && (
        <RemoveParticipantDialog
          name={participant.label}
          remove={(ban) => moderation.remove(participant.id, ban)}
          close={() => (confirmingRemoval.value = false)}
        />
      )}
    </div>
  );
}

interface ParticipantSummaryProps {
  name: string;
  label: string;
  role: string;
  microphoneOn: boolean;
  cameraOn: boolean;
}

function ParticipantSummary({ name, label, role, microphoneOn, cameraOn }: ParticipantSummaryProps) {
  return (
    <>
      <Avatar name={name} size={AVATAR_SIZE} />
      <span class="person-name">
        {label}
        {role && <span class="role">{role}</span>}
      </span>
      <span class={`state ${microphoneOn ? '' : 'off'}`} role="img" aria-label={microphoneOn ? 'Unmuted' : 'Muted'}>
        <MicIcon off={!microphoneOn} />
      </span>
      <span class={`state ${cameraOn ? '' : 'off'}`} role="img" aria-label={cameraOn ? 'Camera on' : 'Camera off'}>
        <CameraIcon off={!cameraOn} />
      </span>
    </>
  );
}

const POLICIES: Policy[] = ['open', 'invite-only', 'approval', 'locked'];

/** Select for the room policy. */
function PolicyPicker({ app, room }: { app: App; room: Room }) {
  const policy = room.moderation.policy.value;
  const linkLacksInvitation = policy === 'invite-only' && !isInvitation(app.token.value, room.id);
  return (
    <footer class="panel-foot">
      <SelectField
        label="Who can come in"
        choices={POLICIES.map((value) => ({ value, text: POLICY_LABEL[value] }))}
        chosen={policy}
        choose={(value) => room.moderation.setPolicy(value)}
      />
      {linkLacksInvitation && <p class="quiet">This room’s link carries no invitation: nobody new can come in by it.</p>}
    </footer>
  );
}
