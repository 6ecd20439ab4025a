/** The UDP relay of crates/sim, between a page and the server: `watersmeet-relay` with its commands. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY =
  process.env.WATERSMEET_RELAY_BIN ??
  fileURLToPath(new URL('../../target/debug/watersmeet-relay', import.meta.url));

/** Counters of one direction. */
export interface RelayCounts {
  packets: number;
  bytes: number;
  lost: number;
  queueDrops: number;
  cutDrops: number;
}

export interface RelayStats extends Record<'up' | 'down', RelayCounts> {
  /** For each port towards the server, the time in ms from its opening until it was first used. */
  firstSentMs: number[];
}

export class Relay {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    private readonly reader: Interface,
    /** Port on the loopback address at which clients reach the server through this relay. */
    readonly port: number,
  ) {}

  /** Starts a relay to this UDP port, by default of the loopback address. */
  static async start(serverPort: number, address = '127.0.0.1'): Promise<Relay> {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} does not exist: cargo build -p watersmeet-sim`);
    const child = spawn(BINARY, ['127.0.0.1:0', `${address}:${serverPort}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!child.stdout) throw new Error('the relay has no output');
    const reader = createInterface({ input: child.stdout });
    const lines = reader[Symbol.asyncIterator]();
    const { value } = await lines.next();
    const port = Number(/^relay 127\.0\.0\.1:(\d+) /.exec(String(value))?.[1]);
    if (!port) throw new Error(`the relay did not start: ${value}`);
    return new Relay(child, lines, reader, port);
  }

  /** Opens one more port, for clients of another address; all ports share the line. Returns it. */
  async listen(serverPort: number, address: string): Promise<number> {
    const answer = await this.command(`listen ${address}:${serverPort}`);
    return Number(answer.split(':').at(-1));
  }

  /** Carries out a command, and returns the answer. */
  async command(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    const { value } = await this.lines.next();
    const answer = String(value);
    if (answer.startsWith('error')) throw new Error(`relay: ${line}: ${answer}`);
    return answer;
  }

  async counts(): Promise<RelayStats> {
    return JSON.parse(await this.command('stats')) as RelayStats;
  }

  stop(): void {
    this.reader.close();
    this.child.kill();
  }
}
