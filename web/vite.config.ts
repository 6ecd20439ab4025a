/**
 * Builds the page that the server carries in its binary. Everything lands in
 * `dist` as plain files: no inline script or style, so that the page runs under
 * `Content-Security-Policy: default-src 'self'`.
 */
import { defineConfig } from 'vite';

const server = process.env.WATERSMEET_URL ?? 'http://127.0.0.1:3000';

export default defineConfig({
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
