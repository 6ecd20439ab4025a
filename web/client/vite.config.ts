/**
 * Builds the npm package from the sources of the page's client: one module, without its dependencies, and the types of
 * its public interface, which `tsc` has made before. `npm pack` runs both.
 */
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Files that are part of the package as they are, by their place in its `dist`. */
const COPIED = {
  'index.d.ts': './build/client/index.d.ts',
  'api.d.ts': './build/client/api.d.ts',
  'LICENSE-MIT': '../../LICENSE-MIT',
  'LICENSE-APACHE': '../../LICENSE-APACHE',
};

function copyFiles(): Plugin {
  return {
    name: 'copy-files',
    writeBundle() {
      for (const [name, source] of Object.entries(COPIED)) copyFileSync(folder(source), folder(`./dist/${name}`));
    },
  };
}

export default defineConfig({
  root: folder('.'),
  plugins: [copyFiles()],
  build: {
    target: ['chrome111', 'firefox120', 'safari16.4'],
    minify: false,
    lib: { entry: 'index.ts', formats: ['es'], fileName: 'index' },
    rolldownOptions: { external: ['mediasoup-client', '@preact/signals-core'] },
  },
});
