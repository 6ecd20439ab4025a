/** The server as a whole: what it does, how much of it is used, and draining it. */
import { useState } from 'preact/hooks';
import { ConfirmDialog } from '../../src/ui/ConfirmDialog';
import { DAY_S, count, formatBitrate, formatBytes, formatPacketRate, formatShare, secondsBetween } from '../format';
import type { CertificateState, LimitUse, ServerStatus } from '../operatorsApi';
import type { OperatorsApp } from '../operatorsApp';
import { sum, trafficByThread, type Traffic } from '../rates';

/** Use of a limit from which it is marked. */
const HIGH_USE = 0.8;
/** Days before its end at which a certificate should have been renewed. */
const EXPIRES_SOON_DAYS = 14;

const LIMITS: Record<string, string> = {
  sessions: 'Connections',
  rooms: 'Rooms',
  'participants-of-largest-room': 'People in the largest room',
  'open-files': 'Open files',
  'turn-allocations': 'TURN allocations',
};

const KINDS = { acme: 'obtained by ACME', files: 'from files', 'self-signed': 'generated at start' } as const;

export function OverviewView({ app }: { app: OperatorsApp }) {
  const status = app.status.value;
  if (!status) return <h1>Overview</h1>;
  const threads = trafficByThread(app.earlierStatus.value, status);
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Drain app={app} status={status} />
      <Figures status={status} traffic={sum(threads)} />
      <div class="panels">
        <Threads status={status} traffic={threads} />
        <section class="card" aria-labelledby="limits">
          <h2 id="limits">Limits</h2>
          <ul class="uses">
            {status.limits.map((limit) => (
              <Use key={limit.name} limit={limit} />
            ))}
          </ul>
        </section>
        <section class="card" aria-labelledby="certificates">
          <h2 id="certificates">Certificates and TURN</h2>
          <dl class="facts">
            {status.certificates.map((certificate) => (
              <Certificate key={certificate.port} certificate={certificate} now={status.at} />
            ))}
            {status.certificates.length === 0 && (
              <div>
                <dt>HTTPS</dt>
                <dd>off</dd>
              </div>
            )}
            <Turn status={status} />
          </dl>
        </section>
      </div>
    </>
  );
}

function Figures({ status, traffic }: { status: ServerStatus; traffic: Traffic }) {
  return (
    <dl class="figures">
      <div>
        <dt>Rooms</dt>
        <dd>{status.rooms}</dd>
      </div>
      <div>
        <dt>People</dt>
        <dd>
          {status.participants}
          {status.waiting > 0 && <small>{status.waiting} waiting</small>}
        </dd>
      </div>
      <div>
        <dt>Capacity used</dt>
        <dd>{formatShare(status.capacityUsed)}</dd>
      </div>
      <div>
        <dt>Received</dt>
        <dd>{formatBitrate(traffic.bitrateIn)}</dd>
      </div>
      <div>
        <dt>Sent</dt>
        <dd>{formatBitrate(traffic.bitrateOut)}</dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{formatBytes(status.memoryBytes)}</dd>
      </div>
    </dl>
  );
}

function Drain({ app, status }: { app: OperatorsApp; status: ServerStatus }) {
  const [isAsking, setAsking] = useState(false);
  if (status.phase === 'shutting-down') return null;
  if (status.phase === 'draining') {
    const left = `${count(status.rooms, 'room')} with ${count(status.participants, 'person', 'people')}`;
    return (
      <div class="alert" role="status">
        <span>
          <strong>Draining.</strong> No further rooms are opened.{' '}
          {status.rooms === 0 ? 'Nobody is left: the server can be ended.' : `${left} left.`}
        </span>
        <button class="button small" type="button" onClick={() => void app.act((api) => api.setDraining(false))}>
          Open rooms again
        </button>
      </div>
    );
  }
  return (
    <div class="view-head">
      <p class="quiet">Rooms are opened, and load balancers are told that the server is ready.</p>
      <button class="button small" type="button" onClick={() => setAsking(true)}>
        Drain
      </button>
      {isAsking && (
        <ConfirmDialog
          label="Drain this server?"
          cancel="Cancel"
          confirm="Drain"
          tone="primary"
          onConfirm={() => void app.act((api) => api.setDraining(true))}
          close={() => setAsking(false)}
        >
          <p>
            No further rooms are opened, and load balancers send nobody else. Meetings go on, and people can still enter
            them. You can undo this.
          </p>
        </ConfirmDialog>
      )}
    </div>
  );
}

function Threads({ status, traffic }: { status: ServerStatus; traffic: Traffic[] }) {
  return (
    <section class="card wide" aria-labelledby="threads">
      <h2 id="threads">Media threads</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Thread</th>
            <th scope="col" class="number">Load</th>
            <th scope="col" class="number">Rooms</th>
            <th scope="col" class="number">Connections</th>
            <th scope="col" class="number">Tracks in, out</th>
            <th scope="col" class="number">Received</th>
            <th scope="col" class="number">Sent</th>
          </tr>
        </thead>
        <tbody>
          {status.mediaThreads.map((thread, position) => (
            <tr key={thread.index}>
              <th scope="row">
                {thread.index} {thread.isHung && <span class="chip poor">Hangs</span>}
                {thread.restarts > 0 && <small>began anew {count(thread.restarts, 'time')} after an error</small>}
              </th>
              <td class="number" data-label="Load">{formatShare(thread.load)}</td>
              <td class="number" data-label="Rooms">{thread.rooms}</td>
              <td class="number" data-label="Connections">
                {thread.transports}
                {thread.transportsConnecting > 0 && <small>{thread.transportsConnecting} connecting</small>}
                {thread.transportsBroken > 0 && <small>{thread.transportsBroken} broken</small>}
              </td>
              <td class="number" data-label="Tracks in, out">
                {thread.producers}, {thread.consumers}
              </td>
              <Rates label="Received" bitrate={traffic[position]?.bitrateIn} packets={traffic[position]?.packetsIn} />
              <Rates label="Sent" bitrate={traffic[position]?.bitrateOut} packets={traffic[position]?.packetsOut} />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Rates({ label, bitrate = 0, packets = 0 }: { label: string; bitrate: number | undefined; packets: number | undefined }) {
  return (
    <td class="number" data-label={label}>
      {formatBitrate(bitrate)}
      <small>{formatPacketRate(packets)}</small>
    </td>
  );
}

function Use({ limit: { name, used, max } }: { limit: LimitUse }) {
  const label = LIMITS[name] ?? name;
  return (
    <li>
      <div>
        <span>{label}</span>
        <span>
          {used.toLocaleString('en')} of {max.toLocaleString('en')}
        </span>
      </div>
      <progress class={used >= HIGH_USE * max ? 'use high' : 'use'} value={used} max={max} aria-label={`${label} in use`} />
    </li>
  );
}

function Certificate({ certificate, now }: { certificate: CertificateState; now: string }) {
  const { port, kind, expiresAt } = certificate;
  const days = expiresAt ? Math.floor(secondsBetween(now, expiresAt) / DAY_S) : null;
  return (
    <div>
      <dt>
        Port {port}, {KINDS[kind]}
      </dt>
      <dd>
        {days === null && <span class="chip fair">Not obtained yet</span>}
        {days !== null && days < 0 && <span class="chip poor">Expired</span>}
        {days !== null && days >= 0 && (
          <span class={`chip ${days < EXPIRES_SOON_DAYS ? 'fair' : 'good'}`}>{count(days, 'day')} left</span>
        )}
      </dd>
    </div>
  );
}

function Turn({ status: { turn } }: { status: ServerStatus }) {
  if (!turn) {
    return (
      <div>
        <dt>TURN server</dt>
        <dd>off</dd>
      </div>
    );
  }
  return (
    <>
      <div>
        <dt>TURN allocations</dt>
        <dd>
          {turn.allocations} now, {turn.allocationsMade} since the start
        </dd>
      </div>
      <div>
        <dt>Relayed</dt>
        <dd>
          {formatBytes(turn.bytesIn)} in, {formatBytes(turn.bytesOut)} out
        </dd>
      </div>
    </>
  );
}
