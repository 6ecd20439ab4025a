/**
 * Tests in real browsers, in three projects that `npm run e2e` runs one after the other, whether or not one fails:
 *
 * - `page`: tests tagged `@no-media`. They check the page and signalling, and run in parallel.
 * - `small-calls`: calls of a few pages of which nothing is measured in time, two at a time: those of each dialect and
 *   client library, of each rule of access, and of both browsers.
 * - `media`: all others, one at a time. Each runs a server and several video encoders, and an
 *   encoder that lacks processor time looks like a broken server.
 *
 * Tests tagged `@nightly` run with `WATERSMEET_NIGHTLY=1` only.
 *
 * The fixture rejects a check of media in a test tagged `@no-media`.
 */
import { defineConfig } from '@playwright/test';

const NO_MEDIA = /@no-media/;
const NIGHTLY = process.env.WATERSMEET_NIGHTLY ? [] : [/@nightly/];
const SMALL_CALLS = ['dialects', 'room-access', 'call', 'browser-interop', 'firefox-call', 'hosting', 'example-client', 'client-package', 'engine-example', 'turn', 'call-history', 'whip']
  .map((name) => `**/${name}.spec.ts`);

/** Tests of the projects `page` and `small-calls` that run at the same time. */
const parallelWorkers = Number(process.env.WATERSMEET_E2E_WORKERS ?? 2);

export default defineConfig({
  testDir: 'tests',
  testMatch: '**/*.spec.ts',
  workers: parallelWorkers,
  retries: 0,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  reporter: [['list']],
  projects: [
    {
      name: 'page',
      grep: NO_MEDIA,
      grepInvert: NIGHTLY,
      fullyParallel: true,
      workers: parallelWorkers,
      outputDir: 'test-results/page',
    },
    {
      name: 'small-calls',
      testMatch: SMALL_CALLS,
      grepInvert: [NO_MEDIA, ...NIGHTLY],
      fullyParallel: true,
      workers: parallelWorkers,
      outputDir: 'test-results/small-calls',
    },
    {
      name: 'media',
      testIgnore: SMALL_CALLS,
      grepInvert: [NO_MEDIA, ...NIGHTLY],
      fullyParallel: false,
      workers: 1,
      outputDir: 'test-results/media',
    },
  ],
});
