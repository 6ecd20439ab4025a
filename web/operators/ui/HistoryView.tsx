/** The latest calls, and what was likely bad in each. */
import { formatDuration, formatTime, secondsBetween } from '../format';
import type { HistoryCall, HistoryCause } from '../historyApi';
import { hashOfCall, type OperatorsApp } from '../operatorsApp';

export function HistoryView({ app }: { app: OperatorsApp }) {
  const history = app.history.value;
  return (
    <section class="card" aria-labelledby="history">
      <h1 id="history">History</h1>
      {history === 'off' && <p class="empty">This server keeps no history of calls.</p>}
      {history && history !== 'off' && history.calls.length === 0 && <p class="empty">There were no calls yet.</p>}
      {history && history !== 'off' && history.calls.length > 0 && (
        <>
          <CallTable calls={history.calls} now={app.status.value?.at ?? ''} />
          {history.next !== null && <p class="empty">The latest {history.calls.length} calls are shown.</p>}
        </>
      )}
    </section>
  );
}

export function Causes({ causes, none }: { causes: HistoryCause[]; none: string }) {
  if (causes.length === 0) return <span class="chip good">{none}</span>;
  return (
    <ul class="causes">
      {causes.map(({ code, text, isNote }) => (
        <li key={code}>
          {isNote ? 'Note: ' : ''}
          {text}
        </li>
      ))}
    </ul>
  );
}

function CallTable({ calls, now }: { calls: HistoryCall[]; now: string }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Room</th>
          <th scope="col">Started</th>
          <th scope="col">Duration</th>
          <th scope="col">People</th>
          <th scope="col">Likely causes of what was bad</th>
        </tr>
      </thead>
      <tbody>
        {calls.map(({ id, room, startedAt, endedAt, participantCount, causes }) => (
          <tr key={id}>
            <th scope="row">
              <a href={hashOfCall(id)}>
                <bdi>{room}</bdi>
              </a>
            </th>
            <td data-label="Started">{formatTime(startedAt)}</td>
            <td data-label="Duration">
              {formatDuration(secondsBetween(startedAt, endedAt ?? now))}
              {endedAt === null && <small>goes on</small>}
            </td>
            <td data-label="People">{participantCount}</td>
            <td data-label="Likely causes of what was bad">
              <Causes causes={causes} none="Nothing" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
