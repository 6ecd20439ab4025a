/** All rooms. */
import { count, formatDuration, secondsBetween } from '../format';
import { hashOfRoom, type OperatorsApp } from '../operatorsApp';
import type { RoomState } from '../operatorsApi';

export const POLICIES = { open: 'Open', 'invite-only': 'Invited only', approval: 'Lobby', locked: 'Locked' } as const;

export function RoomsView({ app }: { app: OperatorsApp }) {
  const [rooms, now] = [app.rooms.value, app.status.value?.at ?? ''];
  return (
    <section class="card" aria-labelledby="rooms">
      <h1 id="rooms">Rooms</h1>
      {rooms?.length === 0 && <p class="empty">There are no rooms.</p>}
      {rooms && rooms.length > 0 && <RoomTable rooms={rooms} now={now} />}
      {app.hasMoreRooms.value && <p class="empty">There are more: the first {rooms?.length} are shown.</p>}
    </section>
  );
}

function RoomTable({ rooms, now }: { rooms: RoomState[]; now: string }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Room</th>
          <th scope="col">People</th>
          <th scope="col">Age</th>
          <th scope="col">Access</th>
          <th scope="col">Dialects</th>
        </tr>
      </thead>
      <tbody>
        {rooms.map(({ roomId, title, participantCount, waitingCount, createdAt, policy, dialects }) => (
          <tr key={roomId}>
            <th scope="row">
              <a href={hashOfRoom(roomId)}>
                <bdi>{title ?? roomId}</bdi>
              </a>
              {title && <small>{roomId}</small>}
            </th>
            <td data-label="People">
              {participantCount}
              {waitingCount > 0 && <small>{count(waitingCount, 'waiting', 'waiting')}</small>}
            </td>
            <td data-label="Age">{formatDuration(secondsBetween(createdAt, now))}</td>
            <td data-label="Access">{POLICIES[policy]}</td>
            <td data-label="Dialects">{dialects.join(', ') || 'none'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
