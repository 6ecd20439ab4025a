/** The list of everyone here, beside the stage. */
import type { App } from '../app';
import type { Participant, Room } from '../room';
import { CameraIcon, CloseIcon, MicIcon } from './icons';
import { Avatar } from './Tile';

const AVATAR_SIZE = 100;

export function People({ app, room, close }: { app: App; room: Room; close(): void }) {
  const people = room.people.value;
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
      <ul class="people" aria-label="Participants">
        <Row
          name={`${app.name.value || 'You'}${app.name.value ? ' (you)' : ''}`}
          microphoneOn={app.capture.microphoneOn.value}
          cameraOn={app.capture.cameraOn.value}
        />
        {people.map((person) => (
          <OtherRow key={person.id} person={person} />
        ))}
      </ul>
    </aside>
  );
}

function OtherRow({ person }: { person: Participant }) {
  return <Row name={person.label} microphoneOn={person.microphoneOn.value} cameraOn={person.cameraOn.value} />;
}

function Row({ name, microphoneOn, cameraOn }: { name: string; microphoneOn: boolean; cameraOn: boolean }) {
  return (
    <li class="person" aria-label={name}>
      <Avatar name={name.replace(' (you)', '')} size={AVATAR_SIZE} />
      <span class="person-name">{name}</span>
      <span class={`state ${microphoneOn ? '' : 'off'}`} role="img" aria-label={microphoneOn ? 'Unmuted' : 'Muted'}>
        <MicIcon off={!microphoneOn} />
      </span>
      <span class={`state ${cameraOn ? '' : 'off'}`} role="img" aria-label={cameraOn ? 'Camera on' : 'Camera off'}>
        <CameraIcon off={!cameraOn} />
      </span>
    </li>
  );
}
