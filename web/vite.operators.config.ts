/**
 * Builds the operators' page into a folder of its own: it shares no file with the page that people use, which
 * therefore does not grow with it. Runs after the build of that page, which empties `dist`.
 */
import { defineConfig } from 'vite';
import { precompress } from './precompress.ts';

const server = process.env.WATERSMEET_OPERATORS_URL ?? 'http://127.0.0.1:3001';

export default defineConfig({
  root: 'operators',
  base: './',
  publicDir: false,
  plugins: [precompress()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: ['chrome111', 'firefox120', 'safari16.4'],
    outDir: '../dist/operators',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': { target: server } } },
});
