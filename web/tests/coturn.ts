/** One coturn process per test, on the loopback address, with a secret shared with our server. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstOfFreePorts, freePort, sleep } from './server';

const BINARY = process.env.TURNSERVER ?? 'turnserver';
const START_MS_MAX = 10_000;
const START_POLL_MS = 50;
/** Two participants with two connections each need four ports, and ICE restarts as many again. */
const RELAY_PORTS = 32;

export class Coturn {
  private log = '';

  private constructor(
    readonly port: number,
    readonly secret: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {
    const appendLog = (chunk: Buffer) => (this.log += chunk.toString());
    child.stdout?.on('data', appendLog);
    child.stderr?.on('data', appendLog);
    child.on('error', ({ message }) => (this.log += message));
  }

  static async start(secret: string): Promise<Coturn> {
    const folder = await mkdtemp(join(tmpdir(), 'coturn-'));
    const port = await freePort();
    const relays = await firstOfFreePorts(RELAY_PORTS);
    const options = [
      '-n',
      '--listening-ip=127.0.0.1',
      '--relay-ip=127.0.0.1',
      `--listening-port=${port}`,
      `--min-port=${relays}`,
      `--max-port=${relays + RELAY_PORTS - 1}`,
      '--use-auth-secret',
      `--static-auth-secret=${secret}`,
      '--realm=watersmeet.test',
      '--allow-loopback-peers',
      '--no-tls',
      '--no-dtls',
      '--no-cli',
      '--verbose',
      '--simple-log',
      '--log-file=stdout',
      `--pidfile=${join(folder, 'pid')}`,
      `--userdb=${join(folder, 'users')}`,
    ];
    const child = spawn(BINARY, options, { stdio: ['ignore', 'pipe', 'pipe'] });
    const coturn = new Coturn(port, secret, folder, child);
    const deadline = Date.now() + START_MS_MAX;
    while (Date.now() < deadline && child.exitCode === null && child.pid !== undefined) {
      if (await acceptsConnections(port)) return coturn;
      await sleep(START_POLL_MS);
    }
    await coturn.stop();
    throw new Error(`${BINARY} did not start:\n${coturn.log}`);
  }

  get url(): string {
    return `turn:127.0.0.1:${this.port}?transport=udp`;
  }

  /** Output of coturn so far. */
  get output(): string {
    return this.log;
  }

  /** Returns credentials that expire at this time, in seconds since 1970, computed without our server. */
  credentials(name: string, expiresS: number): RTCIceServer {
    const username = `${expiresS}:${name}`;
    const credential = createHmac('sha1', this.secret).update(username).digest('base64');
    return { urls: [this.url], username, credential };
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.pid !== undefined) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGKILL');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process accepts connections on this port. */
function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
