/**
 * Builds the page that is embedded in the server's binary. `dist` has no inline scripts or
 * styles, so that the page runs under `Content-Security-Policy: default-src 'self'`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Files that are worth compressing. */
const COMPRESSIBLE = /\.(js|css|svg|json|html|wasm|tflite)$/;
/** Shorter files fit into one packet anyway. */
const COMPRESSED_BYTES_MIN = 1_024;

/** Stores each file also compressed, as `NAME.br` and `NAME.gz`, so that the server need not compress. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    writeBundle({ dir = 'dist' }) {
      for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (!entry.isFile() || !COMPRESSIBLE.test(entry.name)) continue;
        const contents = readFileSync(path);
        if (contents.length < COMPRESSED_BYTES_MIN) continue;
        writeFileSync(`${path}.br`, brotliCompressSync(contents));
        writeFileSync(`${path}.gz`, gzipSync(contents, { level: 9 }));
      }
    },
  };
}

const server = process.env.WATERSMEET_URL ?? 'http://127.0.0.1:3000';

export default defineConfig({
  // Relative, so that the page works below any path of a reverse proxy.
  base: './',
  plugins: [precompress()],
  // The example client imports the package by its name, as others do, and gets its sources.
  resolve: { alias: { 'watersmeet-client': fileURLToPath(new URL('client/index.ts', import.meta.url)) } },
  worker: { format: 'es' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: ['chrome111', 'firefox120', 'safari16.4'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rolldownOptions: { input: ['index.html', 'example/index.html'] },
  },
  server: {
    proxy: {
      '/ws': { target: server, ws: true },
      '/api': { target: server },
      '/health': { target: server },
    },
  },
});
