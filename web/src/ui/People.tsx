/** The list of everyone here, beside the stage; for a host, also who asks for something, and what to do about it. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { App } from '../app';
import { isInvitation } from '../address';
import type { Asker } from '../door';
import type { Participant } from '../participant';
import type { Policy } from '../protocol';
import type { Room } from '../room';
import { CameraIcon, CloseIcon, MicIcon, MoreIcon } from './icons';
import { RemoveDialog } from './RemoveDialog';
import { Select } from './Select';
import { POLICY_LABEL, ROLE_LABEL } from './sentences';
import { Avatar } from './Tile';

const AVATAR_SIZE = 100;

export function People({ app, room, close }: { app: App; room: Room; close(): void }) {
  const people = room.people.value;
  const hosting = room.role.value === 'host';
  return (
    <aside class="panel" aria-label="Participants">
      <header class="panel-head">
        <h2>
          Participants <span class="count">{people.length + 1}</span>
        </h2>
        <button type="button" class="ghost" aria-label="Close participants" onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body">
        {hosting && <Waiters room={room} />}
        {hosting && <Wishes room={room} />}
        <ul class="people" aria-label="Participants">
          <li class="person" aria-label={ownName(app)}>
            <Who
              name={app.name.value || 'You'}
              shown={ownName(app)}
              role={ROLE_LABEL[room.role.value]}
              microphoneOn={app.heard.value}
              cameraOn={app.seen.value}
            />
          </li>
          {people.map((person) => (
            <OtherRow key={person.id} room={room} person={person} hosting={hosting} />
          ))}
        </ul>
      </div>
      {hosting && <Entrance app={app} room={room} />}
    </aside>
  );
}

function ownName(app: App): string {
  return app.name.value ? `${app.name.value} (you)` : 'You';
}

function Waiters({ room: { door } }: { room: Room }) {
  return (
    <Askers title="Waiting to come in" askers={door.waiting.value}>
      {(asker) => (
        <>
          <button class="button small" type="button" onClick={() => door.deny(asker)}>
            Deny
          </button>
          <button class="button small primary" type="button" onClick={() => door.admit(asker)}>
            Admit
          </button>
        </>
      )}
    </Askers>
  );
}

function Wishes({ room: { door } }: { room: Room }) {
  return (
    <Askers title="Asking to speak" askers={door.wishes.value}>
      {(asker) => (
        <>
          <button class="button small" type="button" onClick={() => door.forget(asker.id)}>
            Not now
          </button>
          <button class="button small primary" type="button" onClick={() => door.promote(asker.id)}>
            Allow
          </button>
        </>
      )}
    </Askers>
  );
}

interface AskersProps {
  title: string;
  askers: Asker[];
  children(asker: Asker): ComponentChildren;
}

function Askers({ title, askers, children }: AskersProps) {
  if (askers.length === 0) return null;
  return (
    <section class="askers" aria-label={title}>
      <h3>{title}</h3>
      <ul aria-label={title}>
        {askers.map((asker) => (
          <li class="person" key={asker.id} aria-label={asker.label}>
            <span class="person-name">{asker.label}</span>
            {children(asker)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function OtherRow({ room, person, hosting }: { room: Room; person: Participant; hosting: boolean }) {
  const open = useSignal(false);
  const { label } = person;
  return (
    <li class="person other" aria-label={label}>
      <div class="person-line">
        <Who
          name={label}
          shown={label}
          role={ROLE_LABEL[person.role.value]}
          microphoneOn={person.microphoneOn.value}
          cameraOn={person.cameraOn.value}
        />
        {hosting && (
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
      {hosting && open.value && <Options room={room} person={person} />}
    </li>
  );
}

/** What a host can do about one person. */
function Options({ room: { door }, person }: { room: Room; person: Participant }) {
  const removing = useSignal(false);
  const watches = person.role.value === 'viewer';
  return (
    <div class="options" role="group" aria-label={`Options for ${person.label}`}>
      <button
        class="button small"
        type="button"
        disabled={!person.microphoneOn.value}
        onClick={() => door.mute(person.id)}
      >
        Mute
      </button>
      <button
        class="button small"
        type="button"
        onClick={() => (watches ? door.promote(person.id) : door.demote(person.id))}
      >
        {watches ? 'Make speaker' : 'Make viewer'}
      </button>
      <button class="button small bad" type="button" onClick={() => (removing.value = true)}>
        Remove
      </button>
      {removing.value && (
        <RemoveDialog
          name={person.label}
          remove={() => door.remove(person.id)}
          close={() => (removing.value = false)}
        />
      )}
    </div>
  );
}

interface WhoProps {
  name: string;
  shown: string;
  role: string;
  microphoneOn: boolean;
  cameraOn: boolean;
}

function Who({ name, shown, role, microphoneOn, cameraOn }: WhoProps) {
  return (
    <>
      <Avatar name={name} size={AVATAR_SIZE} />
      <span class="person-name">
        {shown}
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

/** Who may come in from now on. */
function Entrance({ app, room }: { app: App; room: Room }) {
  const policy = room.door.policy.value;
  const linkFails = policy === 'invite-only' && !isInvitation(app.token.value, room.id);
  return (
    <footer class="panel-foot">
      <Select
        label="Who can come in"
        choices={POLICIES.map((value) => ({ value, text: POLICY_LABEL[value] }))}
        chosen={policy}
        choose={(value) => room.door.choose(value)}
      />
      {linkFails && <p class="quiet">This room’s link carries no invitation: nobody new can come in by it.</p>}
    </footer>
  );
}
