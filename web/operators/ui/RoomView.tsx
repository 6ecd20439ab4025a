/** The people of a room, and how their media gets on. */
import { useState } from 'preact/hooks';
import { ConfirmDialog } from '../../src/ui/ConfirmDialog';
import { count, formatBitrate, formatDuration, formatShare, secondsBetween } from '../format';
import type { OperatorsApp } from '../operatorsApp';
import type { Person, Problem, SentTrack } from '../operatorsApi';
import { POLICIES } from './RoomsView';

const ROLES = { host: 'Host', producer: 'Speaker', consumer: 'Viewer', waiting: 'Waiting' } as const;
const ROUTES = { udp: 'UDP', tcp: 'TCP', relay: 'Relay (TURN)' } as const;
const QUALITIES = { unknown: 'Unknown', good: 'Good', fair: 'Fair', poor: 'Poor' } as const;
const PROBLEMS: Record<Problem, string> = {
  interrupted: 'nothing arrives',
  'not-connected': 'media has not connected',
  'loss-sending': 'loses what it sends',
  'loss-receiving': 'loses what it is sent',
  'long-round-trip': 'long round trip',
};

export function RoomView({ app, name }: { app: OperatorsApp; name: string }) {
  const [removing, setRemoving] = useState<Person | null>(null);
  const [isClosing, setClosing] = useState(false);
  const found = app.room.value;
  if (found === 'gone') {
    return (
      <>
        <h1>{name}</h1>
        <p class="empty">
          This room has ended. <a href="#rooms">All rooms</a>
        </p>
      </>
    );
  }
  if (!found) return <h1>{name}</h1>;
  const { room, participants } = found;
  const age = formatDuration(secondsBetween(room.createdAt, app.status.value?.at ?? room.createdAt));
  return (
    <section class="card" aria-labelledby="room">
      <div class="view-head">
        <div>
          <h1 id="room">
            <bdi>{room.title ?? room.roomId}</bdi>
          </h1>
          <p class="quiet">
            {count(room.participantCount, 'person', 'people')}
            {room.waitingCount > 0 && `, ${room.waitingCount} waiting`}, open for {age}, access: {POLICIES[room.policy].toLowerCase()}
          </p>
        </div>
        <button class="button small bad" type="button" onClick={() => setClosing(true)}>
          Close room
        </button>
      </div>
      {participants.length === 0 && <p class="empty">Nobody is in this room.</p>}
      {participants.length > 0 && <People people={participants} remove={setRemoving} />}
      {isClosing && (
        <ConfirmDialog
          label="Close this room?"
          cancel="Cancel"
          confirm="Close room"
          onConfirm={() => void app.act((api) => api.closeRoom(room.roomId))}
          close={() => setClosing(false)}
        >
          <p>The meeting ends for everybody.</p>
        </ConfirmDialog>
      )}
      {removing && (
        <ConfirmDialog
          label={`Remove ${removing.displayName}?`}
          cancel="Cancel"
          confirm="Remove"
          onConfirm={() => void app.act((api) => api.removePerson(room.roomId, removing.id))}
          close={() => setRemoving(null)}
        >
          <p>Their call ends. They can come back.</p>
        </ConfirmDialog>
      )}
    </section>
  );
}

function People({ people, remove }: { people: Person[]; remove(person: Person): void }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Connection</th>
          <th scope="col">Route</th>
          <th scope="col">Sends</th>
          <th scope="col">Receives</th>
          <th scope="col" class="number">Round trip</th>
          <th scope="col">
            <span class="hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {people.map((person) => (
          <PersonRow key={person.id} person={person} remove={() => remove(person)} />
        ))}
      </tbody>
    </table>
  );
}

function PersonRow({ person, remove }: { person: Person; remove(): void }) {
  const { displayName, quality, problems, route, sends, receives, roundTripMs, estimate } = person;
  return (
    <tr>
      <th scope="row">
        <bdi>{displayName}</bdi>
        <small>
          {ROLES[person.role]}, {person.dialect}
          {person.device && `, ${person.device}`}
        </small>
      </th>
      <td data-label="Connection">
        <span class={`chip ${quality}`}>{QUALITIES[quality]}</span>
        {problems.map((problem) => (
          <small key={problem}>{PROBLEMS[problem]}</small>
        ))}
      </td>
      <td data-label="Route">{route ? ROUTES[route] : 'none'}</td>
      <td data-label="Sends">
        {formatBitrate(person.bitrateIn)}
        <small>{sends.map(trackText).join(', ') || 'no tracks'}</small>
        {person.lossIn !== null && <small>{formatShare(person.lossIn)} lost</small>}
      </td>
      <td data-label="Receives">
        {formatBitrate(person.bitrateOut)}
        <small>
          {count(receives, 'track')}
          {estimate !== null && receives > 0 && `, line carries ${formatBitrate(estimate)}`}
        </small>
        {person.lossOut !== null && <small>{formatShare(person.lossOut)} lost</small>}
      </td>
      <td class="number" data-label="Round trip">{roundTripMs === null ? '–' : `${Math.round(roundTripMs)} ms`}</td>
      <td class="action">
        <button class="button small" type="button" aria-label={`Remove ${displayName}`} onClick={remove}>
          Remove
        </button>
      </td>
    </tr>
  );
}

function trackText({ kind, source, paused }: SentTrack): string {
  const name = (source ?? kind).replace('-', ' ');
  return paused ? `${name} (paused)` : name;
}
