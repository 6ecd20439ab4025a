/** The line of a viewer to a server that may have many ports: one relay, started when the first port is known. */
import { networkInterfaces } from 'node:os';
import { Relay } from '../tests/relay';
import type { RelayPort, UdpAddress } from '../tests/relayedCandidates';

export class ViewerLine {
  private started: Promise<Relay> | null = null;
  /** Ports of the relay, by address of the server. */
  private readonly ports = new Map<string, Promise<number>>();

  constructor(
    /** Command with which the line starts. */
    private readonly command: string,
  ) {}

  /** Returns the port of the relay to an address of this machine; null for all others. */
  readonly relayPort: RelayPort = (server) => {
    if (!isOwnAddress(server.address)) return Promise.resolve(null);
    const key = `${server.address}:${server.port}`;
    const port = this.ports.get(key) ?? this.open(server);
    this.ports.set(key, port);
    return port;
  };

  /** The relay of a viewer that has received the server's candidates. */
  async relay(): Promise<Relay> {
    if (!this.started) throw new Error('the server has sent no candidates');
    return this.started;
  }

  async stop(): Promise<void> {
    (await this.started)?.stop();
  }

  private async open({ address, port }: UdpAddress): Promise<number> {
    if (this.started) return (await this.started).listen(port, address);
    this.started = this.start(port, address);
    return (await this.started).port;
  }

  private async start(port: number, address: string): Promise<Relay> {
    const relay = await Relay.start(port, address);
    await relay.command(this.command);
    return relay;
  }
}

/** Returns whether this is an IPv4 address of this machine. */
function isOwnAddress(address: string): boolean {
  if (/^127(\.\d+){3}$/.test(address)) return true;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some((it) => it.family === 'IPv4' && it.address === address);
}
