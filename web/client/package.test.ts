/** The package as others bundle it: small, and without the types or the code of the page's user interface. */
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { build, type Rolldown } from 'vite';

/** A build takes about a second on a machine that does nothing else. */
const BUILD_MS_MAX = 60_000;
/** Upper bound of all that the package adds to `mediasoup-client`, minified and compressed by brotli. */
const PACKAGE_BYTES_MAX = 25 * 1_024;

test('the package adds at most 25 KiB to mediasoup-client, and nothing of the user interface', async () => {
  const entry = fileURLToPath(new URL('index.ts', import.meta.url));
  const built = (await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      // Not as a library: those keep their white space.
      rolldownOptions: { input: entry, external: ['mediasoup-client'], preserveEntrySignatures: 'strict' },
    },
  })) as Rolldown.RolldownOutput;
  const [chunk, ...others] = built.output;
  expect(others).toEqual([]);
  const bytes = brotliCompressSync(chunk.code).length;
  console.log(`the package has ${bytes} bytes`);
  expect(bytes).toBeLessThanOrEqual(PACKAGE_BYTES_MAX);
  expect(chunk.exports.toSorted()).toEqual(['CallError', 'join']);
  expect(chunk.moduleIds.filter((id) => /\/src\/(ui|i18n|app\.ts)|node_modules\/preact\//.test(id))).toEqual([]);
}, BUILD_MS_MAX);
