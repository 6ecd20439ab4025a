/** A web site of another origin than the server under test: serves files from memory on a port of its own. */
import { createServer, type Server } from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { extname, join, relative } from 'node:path';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

export class OtherSite {
  private constructor(private readonly listener: Server) {}

  /** Starts a site with these files, by their paths, such as `/index.html`. */
  static async start(files: ReadonlyMap<string, string | Buffer>): Promise<OtherSite> {
    const listener = createServer(({ url = '/' }, response) => {
      const { pathname } = new URL(url, 'http://localhost');
      const path = pathname === '/' ? '/index.html' : pathname;
      const contents = files.get(path);
      if (contents === undefined) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(contents);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new OtherSite(listener);
  }

  /** Origin of the site. */
  get origin(): string {
    return `http://localhost:${(this.listener.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.listener.closeAllConnections();
    this.listener.close();
  }
}

/** Reads a folder of files for a site. */
export function readSite(folder: string): Map<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [`/${relative(folder, path)}`, readFileSync(path)];
    }),
  );
}
