/**
 * The small clients as a browser takes them: each bundled with the version of
 * mediasoup-client it is tried with, served from an address that is not the
 * media server's, as a page of somebody's development server is.
 */
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { Dialect, Kind } from './client';

/** Camera before microphone, as the dialects' documents have it. */
const USUAL: readonly Kind[] = ['video', 'audio'];
/**
 * Chromium numbers header extensions anew in each connection since its version 140, and refuses
 * the answer that mediasoup-client before 3.16 makes for a camera published first, whichever
 * server it talks to.
 */
const OLD: readonly Kind[] = ['audio', 'video'];

/** The versions of mediasoup-client that clients are tried with: the package here, the order of publishing. */
export const VERSIONS = {
  '3.6.37': { package: 'mediasoup-client-3.6', order: OLD },
  '3.12.5': { package: 'mediasoup-client-3.12', order: OLD },
  '3.16.7': { package: 'mediasoup-client-3.16', order: USUAL },
  '3.18.7': { package: 'mediasoup-client-3.18', order: USUAL },
  newest: { package: 'mediasoup-client', order: USUAL },
} as const;
export type Version = keyof typeof VERSIONS;

const PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Small clients</title><link rel="icon" href="data:,">';

export class Bundles {
  private readonly built = new Map<string, Promise<string>>();
  private server: Server | null = null;
  private port = 0;

  /** The page, and beside it every bundle by the name of `script`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** The global under which a bundle leaves its `ClientModule`. */
  static global(dialect: Dialect, version: Version): string {
    return `${dialect}_${version.replaceAll('.', '_')}`;
  }

  async open(): Promise<void> {
    const server = createServer((request, response) => {
      const name = request.url?.match(/^\/(\w+)\.js$/)?.[1];
      const code = name === undefined ? undefined : this.built.get(name);
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

  /** The address of a bundle, built when nobody has asked for it before. */
  async script(dialect: Dialect, version: Version): Promise<string> {
    const name = Bundles.global(dialect, version);
    const code = this.built.get(name) ?? bundle(dialect, version);
    this.built.set(name, code);
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
        name: Bundles.global(dialect, version),
      },
    },
  });
  const [first] = Array.isArray(outputs) ? outputs : [outputs];
  const chunk = first && 'output' in first ? first.output[0] : undefined;
  if (chunk?.type !== 'chunk') throw new Error(`${dialect} makes no bundle`);
  return chunk.code;
}
