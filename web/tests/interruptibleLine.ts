/** A TCP line to a server that a test can cut, and mend again. Media does not pass through it. */
import { connect, createServer, type Server as TcpServer, type Socket } from 'node:net';
import { freePort } from './server';

export class InterruptibleLine {
  private readonly sockets = new Set<Socket>();
  private isCut = false;
  private readonly listener: TcpServer;

  private constructor(
    readonly port: number,
    serverPort: number,
  ) {
    this.listener = createServer((near) => {
      if (this.isCut) return near.destroy();
      const far = connect(serverPort, '127.0.0.1');
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.sockets.delete(from);
          to.destroy();
        });
      }
      return undefined;
    });
  }

  static async start(serverPort: number): Promise<InterruptibleLine> {
    const line = new InterruptibleLine(await freePort(), serverPort);
    await new Promise<void>((resolve) => line.listener.listen(line.port, '127.0.0.1', resolve));
    return line;
  }

  /** URL of the page through the line. */
  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** Closes all connections, and refuses new ones. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  stop(): void {
    this.cut();
    this.listener.close();
  }
}
