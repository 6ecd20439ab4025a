/** A TCP line to a server that can stop to carry anything while its connections stay open, as a lost network does. */
import { connect, createServer, type Server as TcpServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export class FreezableLine {
  private readonly sockets = new Set<Socket>();
  private isFrozen = false;

  private constructor(
    private readonly listener: TcpServer,
    serverPort: number,
  ) {
    listener.on('connection', (client) => {
      const server = connect(serverPort, '127.0.0.1');
      for (const socket of [client, server]) {
        this.sockets.add(socket);
        socket.on('close', () => this.sockets.delete(socket));
      }
      client.on('error', () => server.destroy());
      server.on('error', () => client.destroy());
      client.pipe(server).pipe(client);
      if (this.isFrozen) for (const socket of [client, server]) socket.pause();
    });
  }

  static async start(serverPort: number): Promise<FreezableLine> {
    const listener = createServer();
    const line = new FreezableLine(listener, serverPort);
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return line;
  }

  /** URL of the page through this line. */
  get url(): string {
    return `http://localhost:${(this.listener.address() as AddressInfo).port}`;
  }

  /** Carries nothing any more in either direction. */
  freeze(): void {
    this.isFrozen = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** Carries everything again, also what was sent meanwhile. */
  restore(): void {
    this.isFrozen = false;
    for (const socket of this.sockets) socket.resume();
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.listener.close();
  }
}
