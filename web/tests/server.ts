/**
 * One server process of a test's own, on free ports, its page on the loopback address.
 * Ended by its process id, never by name.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const BINARY =
  process.env.WATERSMEET_BIN ?? fileURLToPath(new URL('../../target/release/watersmeet', import.meta.url));
const START_MS_MAX = 15_000;
const STOP_MS_MAX = 5_000;

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
    if (!existsSync(binary)) throw new Error(`${binary} is not there: build the server first`);
    const server = new Server(await freePort(), environment, binary);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** What the server has printed so far. */
  get output(): string {
    return this.log;
  }

  /** Ends the process without a goodbye, as a crash of the machine would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** Starts it again on the same port. */
  async restart(): Promise<void> {
    await this.run();
  }

  private async run(): Promise<void> {
    const child = spawn(this.binary, [], {
      env: {
        ...inherited(),
        WATERSMEET_DEV: '1',
        PORT: String(this.port),
        LISTEN_IP: '127.0.0.1',
        // Firefox makes no candidate for the loopback address; to the machine's own it does.
        MEDIASOUP_LISTEN_IP: '0.0.0.0',
        WATERSMEET_RTC_PORT: '0',
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    const keep = (chunk: Buffer) => (this.log += chunk.toString());
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const deadline = Date.now() + START_MS_MAX;
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`the server ended at once:\n${this.log}`);
      if (await this.healthy()) return;
      await sleep(100);
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
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(late);
  }
}

/** This process's environment without what is meant for the tests or for another server. */
function inherited(): Environment {
  const mine = Object.entries(process.env).filter(([name]) => !name.startsWith('WATERSMEET_'));
  return Object.fromEntries(mine.map(([name, value]) => [name, value ?? '']));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
