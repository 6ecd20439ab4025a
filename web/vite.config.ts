/**
 * Builds the page that is embedded in the server's binary. `dist` has no inline scripts or
 * styles, so that the page runs under `Content-Security-Policy: default-src 'self'`.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { precompress } from './precompress.ts';

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
