/** The example program of the engine crate, in a call between two pages. */
import { fileURLToPath } from 'node:url';
import { writeFile } from 'node:fs/promises';
import { build } from 'vite';
import { expect, test } from './callFixture';

const EXAMPLE =
  process.env.WATERSMEET_FORWARD_EXAMPLE ??
  fileURLToPath(new URL('../../target/debug/examples/forward', import.meta.url));

test('the forwarding example of the engine forwards video between two pages', async ({ call }, info) => {
  const bundlePath = info.outputPath('mediasoup-client.js');
  await writeFile(bundlePath, await bundleMediasoupClient());
  await call.startServer({ MEDIASOUP_CLIENT: bundlePath }, EXAMPLE);

  const first = await call.open('first');
  const second = await call.open('second');
  for (const { page } of [first, second]) await expect(page.getByRole('status')).toHaveText('Connected');
  await first.expectMovingVideo('Other page');
  await second.expectMovingVideo('Other page');

  await second.page.goto('about:blank');
  await expect(first.page.getByLabel('Other page')).toHaveCount(0);
});

/** Bundles mediasoup-client as a module for browsers. */
async function bundleMediasoupClient(): Promise<string> {
  const outputs = await build({
    configFile: false,
    logLevel: 'warn',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      minify: false,
      lib: {
        entry: fileURLToPath(new URL('../node_modules/mediasoup-client/lib/index.js', import.meta.url)),
        formats: ['es'],
      },
    },
  });
  const [first] = Array.isArray(outputs) ? outputs : [outputs];
  const chunk = first && 'output' in first ? first.output[0] : undefined;
  if (chunk?.type !== 'chunk') throw new Error('mediasoup-client has no bundle');
  return chunk.code;
}
