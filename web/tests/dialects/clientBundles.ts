/**
 * Bundles the test clients, each with a version of mediasoup-client, and serves them from an
 * origin other than the media server's, as an application's own web server would.
 */
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { Dialect, Kind } from './client';

/** The order in the dialects' documentation. */
const VIDEO_FIRST: readonly Kind[] = ['video', 'audio'];
/**
 * Chromium numbers header extensions separately in each connection since version 140, and refuses
 * the answer that mediasoup-client before 3.16 makes for a camera that is produced first, whichever
 * server it connects to.
 */
const AUDIO_FIRST: readonly Kind[] = ['audio', 'video'];

/** Tested versions of mediasoup-client: npm package and order in which the kinds are produced. */
export const VERSIONS = {
  '3.6.37': { package: 'mediasoup-client-3.6', produceOrder: AUDIO_FIRST },
  '3.12.5': { package: 'mediasoup-client-3.12', produceOrder: AUDIO_FIRST },
  '3.16.7': { package: 'mediasoup-client-3.16', produceOrder: VIDEO_FIRST },
  '3.18.7': { package: 'mediasoup-client-3.18', produceOrder: VIDEO_FIRST },
  newest: { package: 'mediasoup-client', produceOrder: VIDEO_FIRST },
} as const;
export type Version = keyof typeof VERSIONS;

const PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Test clients</title><link rel="icon" href="data:,">';

export class ClientBundles {
  private readonly bundles = new Map<string, Promise<string>>();
  private server: Server | null = null;
  private port = 0;

  /** URL of an empty page; `script` returns the URLs of bundles beside it. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Returns the name of the global variable that holds the bundle's `ClientModule`. */
  static globalName(dialect: Dialect, version: Version): string {
    return `${dialect}_${version.replaceAll('.', '_')}`;
  }

  async open(): Promise<void> {
    const server = createServer((request, response) => {
      const name = request.url?.match(/^\/(\w+)\.js$/)?.[1];
      const code = name === undefined ? undefined : this.bundles.get(name);
      const type = code ? 'text/javascript' : 'text/html';
      Promise.resolve(code ?? PAGE).then((body) => response.setHeader('content-type', type).end(body));
    });
    this.server = server;
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    if (typeof address === 'object' && address) this.port = address.port;
  }

  async close(): Promise<void> {
    await new Promise((closed) => (this.server ? this.server.close(closed) : closed(undefined)));
  }

  /** Returns the URL of a bundle; builds it on first use. */
  async script(dialect: Dialect, version: Version): Promise<string> {
    const name = ClientBundles.globalName(dialect, version);
    const code = this.bundles.get(name) ?? bundle(dialect, version);
    this.bundles.set(name, code);
    await code;
    return `${this.url}${name}.js`;
  }
}

async function bundle(dialect: Dialect, version: Version): Promise<string> {
  const outputs = await build({
    configFile: false,
    logLevel: 'warn',
    define: { 'process.env.NODE_ENV': '"production"' },
    resolve: { alias: [{ find: /^mediasoup-client$/, replacement: VERSIONS[version].package }] },
    build: {
      write: false,
      minify: false,
      lib: {
        entry: fileURLToPath(new URL(`./${dialect}/client.ts`, import.meta.url)),
        formats: ['iife'],
        name: ClientBundles.globalName(dialect, version),
      },
    },
  });
  const [first] = Array.isArray(outputs) ? outputs : [outputs];
  const chunk = first && 'output' in first ? first.output[0] : undefined;
  if (chunk?.type !== 'chunk') throw new Error(`${dialect} has no bundle`);
  return chunk.code;
}
