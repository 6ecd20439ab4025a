/** One call of the history: who was there, each minute, and the likely causes in words. */
import { count, formatDuration, formatTime, secondsBetween } from '../format';
import type { HistoryMinute, HistoryParticipant } from '../historyApi';
import type { OperatorsApp } from '../operatorsApp';
import { Causes } from './HistoryView';

export function CallView({ app }: { app: OperatorsApp }) {
  const call = app.call.value;
  if (call === 'gone') {
    return (
      <>
        <h1>Call</h1>
        <p class="empty">
          The history does not have this call. <a href="#history">All calls</a>
        </p>
      </>
    );
  }
  if (!call) return <h1>Call</h1>;
  const { room, startedAt, endedAt, participants, isTruncated } = call;
  const duration = formatDuration(secondsBetween(startedAt, endedAt ?? app.status.value?.at ?? startedAt));
  return (
    <section class="card" aria-labelledby="call">
      <h1 id="call">
        <bdi>{room}</bdi>
      </h1>
      <p class="quiet">
        {formatTime(startedAt)}, {duration}
        {endedAt === null && ' so far'}, {count(participants.length, 'person', 'people')}
      </p>
      {isTruncated && <p class="alert">The call was long: not all of its minutes are shown.</p>}
      {participants.map((person) => (
        <PersonOfCall key={person.id} person={person} />
      ))}
    </section>
  );
}

function PersonOfCall({ person }: { person: HistoryParticipant }) {
  const { id, number, name, dialect, joinedAt, leftAt, causes, minutes } = person;
  return (
    <section class="person" aria-labelledby={`person-${id}`}>
      <h2 id={`person-${id}`}>
        <bdi>{name ?? `Participant ${number}`}</bdi>
      </h2>
      <p class="quiet">
        {dialect}, from {formatTime(joinedAt)}
        {leftAt !== null && ` to ${formatTime(leftAt)}`}
      </p>
      <Causes causes={causes} none="Nothing was bad" />
      <ol class="timeline" aria-label={`Minutes of ${name ?? `participant ${number}`}`}>
        {minutes.map((minute) => (
          <li key={minute.number} class={lookOf(minute)} title={minuteText(minute)}>
            <span class="hidden">{minuteText(minute)}</span>
          </li>
        ))}
      </ol>
      <details>
        <summary>Figures by minute</summary>
        <MinuteTable minutes={minutes} />
      </details>
    </section>
  );
}

function lookOf({ causes }: HistoryMinute): string {
  if (causes.some(({ isNote }) => !isNote)) return 'bad';
  return causes.length > 0 ? 'note' : '';
}

function minuteText({ number, causes }: HistoryMinute): string {
  return `Minute ${number + 1}: ${causes.map(({ text }) => text).join('; ') || 'good'}`;
}

function MinuteTable({ minutes }: { minutes: HistoryMinute[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Minute</th>
          <th scope="col">Route</th>
          <th scope="col" class="number">Round trip</th>
          <th scope="col" class="number">Sends</th>
          <th scope="col" class="number">Lost</th>
          <th scope="col" class="number">Receives</th>
          <th scope="col" class="number">Lost</th>
        </tr>
      </thead>
      <tbody>
        {minutes.map(({ number, route, roundTripMs, up, down }) => (
          <tr key={number}>
            <th scope="row">{number + 1}</th>
            <td data-label="Route">{route ?? 'none'}</td>
            <td class="number" data-label="Round trip">{roundTripMs === null ? '–' : `${roundTripMs} ms`}</td>
            <td class="number" data-label="Sends">{up.kbps} kbit/s</td>
            <td class="number" data-label="Lost of what it sends">{up.lossPercent} %</td>
            <td class="number" data-label="Receives">{down.kbps} kbit/s</td>
            <td class="number" data-label="Lost of what it receives">{down.lossPercent} %</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
