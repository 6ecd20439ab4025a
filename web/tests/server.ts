/** One server process per test, on free ports, with its page on the loopback address. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const BINARY =
  process.env.WATERSMEET_BIN ?? fileURLToPath(new URL('../../target/release/watersmeet', import.meta.url));
const START_MS_MAX = 15_000;
const STOP_MS_MAX = 5_000;
const HEALTH_POLL_MS = 25;

export type Environment = Record<string, string>;

export class Server {
  private child: ChildProcess | null = null;
  private log = '';

  private constructor(
    readonly port: number,
    private readonly environment: Environment,
    private readonly binary: string,
  ) {}

  static async start(environment: Environment = {}, binary = BINARY): Promise<Server> {
    if (!existsSync(binary)) throw new Error(`${binary} does not exist: build the server first`);
    const server = new Server(await freePort(), environment, binary);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** Output of the server so far. */
  get output(): string {
    return this.log;
  }

  /** Returns the page of metrics for Prometheus. */
  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/metrics`)).text();
  }

  /** Kills the process, so that it cannot notify its clients. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** Stops the process without ending it: connections stay open, and nothing is answered. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  /** Lets the process run on. */
  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** Starts the server again on the same port. */
  async restart(): Promise<void> {
    await this.run();
  }

  private async run(): Promise<void> {
    const child = spawn(this.binary, [], {
      env: {
        ...inheritedEnvironment(),
        WATERSMEET_DEV: '1',
        PORT: String(this.port),
        LISTEN_IP: '127.0.0.1',
        // Firefox gathers no candidates for the loopback address, only for the machine's own.
        MEDIASOUP_LISTEN_IP: '0.0.0.0',
        WATERSMEET_RTC_PORT: '0',
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    const appendLog = (chunk: Buffer) => (this.log += chunk.toString());
    child.stdout.on('data', appendLog);
    child.stderr.on('data', appendLog);
    const deadline = Date.now() + START_MS_MAX;
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`the server exited at start:\n${this.log}`);
      if (await this.healthy()) return;
      await sleep(HEALTH_POLL_MS);
    }
    await this.kill();
    throw new Error(`the server did not start:\n${this.log}`);
  }

  private async healthy(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.port}/health`)).ok;
    } catch {
      return false;
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    this.child = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const killTimer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(killTimer);
  }
}

/** Returns this process's environment without the settings of tests and of other servers. */
function inheritedEnvironment(): Environment {
  const variables = Object.entries(process.env).filter(([name]) => !name.startsWith('WATERSMEET_'));
  return Object.fromEntries(variables.map(([name, value]) => [name, value ?? '']));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Ports of tests lie below those that the system gives to outgoing connections, which could take one between its
 * choice here and its use. Each worker has a range of its own.
 */
const FIRST_PORT = 10_000;
const PORTS_PER_WORKER = 2_500;
const WORKERS_MAX = 8;
/** Where the search goes on, so that no port is given twice in a row: servers are started later than ports are found. */
let searched = Math.floor(Math.random() * PORTS_PER_WORKER);

/** Returns a port that was free for TCP and UDP a moment ago. */
export async function freePort(): Promise<number> {
  return firstOfFreePorts(1);
}

/** Returns the first of two ports in a row that were free for TCP and UDP a moment ago: those of two shards. */
export async function freePortPair(): Promise<number> {
  return firstOfFreePorts(2);
}

/** Returns the first of several ports in a row that were free for TCP and UDP a moment ago. */
export async function firstOfFreePorts(count: number): Promise<number> {
  const worker = Number(process.env.TEST_PARALLEL_INDEX ?? 0) % WORKERS_MAX;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    searched = searched + count > PORTS_PER_WORKER ? 0 : searched;
    const first = FIRST_PORT + worker * PORTS_PER_WORKER + searched;
    searched += count;
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const results = await Promise.allSettled(ports.flatMap((port) => [listenOnce(port), bindOnce(port)]));
    if (results.every(({ status }) => status === 'fulfilled')) return first;
  }
  throw new Error(`no ${count} ports in a row are free`);
}

function listenOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, '0.0.0.0', () => probe.close(() => resolve()));
  });
}

function bindOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createSocket('udp4');
    probe.once('error', reject);
    probe.bind(port, () => probe.close(() => resolve()));
  });
}
