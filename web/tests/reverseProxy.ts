/** A small reverse proxy that serves a server below a path, for one test. */
import { createServer, request, type IncomingMessage, type Server as HttpServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { freePort } from './server';

export class ReverseProxy {
  /** Paths outside the prefix that were requested. */
  readonly strayPaths: string[] = [];
  /** Port of the server behind it. */
  upstreamPort = 0;
  private readonly http: HttpServer;

  private constructor(
    readonly port: number,
    private readonly prefix: string,
    private readonly keepsPrefix: boolean,
  ) {
    this.http = createServer((incoming, response) => {
      const path = this.upstreamPath(incoming);
      if (path === null) {
        response.writeHead(404).end();
        return;
      }
      const outgoing = request(
        { host: '127.0.0.1', port: this.upstreamPort, method: incoming.method, path, headers: this.headers(incoming) },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
      );
      outgoing.on('error', () => response.destroy());
      incoming.pipe(outgoing);
    });
    this.http.on('upgrade', (incoming: IncomingMessage, socket: Socket) => this.tunnel(incoming, socket));
  }

  /** Starts a proxy for paths below `prefix`, which it passes on or removes. */
  static async start(prefix: string, keepsPrefix: boolean): Promise<ReverseProxy> {
    const proxy = new ReverseProxy(await freePort(), prefix, keepsPrefix);
    await new Promise<void>((resolve) => proxy.http.listen(proxy.port, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://localhost:${this.port}${this.prefix}`;
  }

  stop(): void {
    this.http.closeAllConnections();
    this.http.close();
  }

  private upstreamPath({ url = '' }: IncomingMessage): string | null {
    if (url !== this.prefix && !url.startsWith(`${this.prefix}/`) && !url.startsWith(`${this.prefix}?`)) {
      // Browsers ask for it by themselves where a page names no icon.
      if (url !== '/favicon.ico') this.strayPaths.push(url);
      return null;
    }
    if (this.keepsPrefix) return url;
    const rest = url.slice(this.prefix.length);
    return rest.startsWith('/') ? rest : `/${rest}`;
  }

  private headers(incoming: IncomingMessage): Record<string, string | string[] | undefined> {
    return { ...incoming.headers, 'x-forwarded-for': '198.51.100.7', 'x-forwarded-proto': 'http' };
  }

  private tunnel(incoming: IncomingMessage, socket: Socket): void {
    const path = this.upstreamPath(incoming);
    if (path === null) {
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      return;
    }
    const upstream = connect(this.upstreamPort, '127.0.0.1', () => {
      const lines = Object.entries(this.headers(incoming)).map(([name, value]) => `${name}: ${String(value)}`);
      upstream.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  }
}
