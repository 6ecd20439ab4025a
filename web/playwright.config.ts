/**
 * Tests in real browsers, in two projects that `npm run e2e` runs one after the other, the second also when the
 * first fails:
 *
 * - `page`: tests tagged `@no-media`. They check the page and signalling, and run in parallel.
 * - `media`: all others, one at a time. Each runs a server and several video encoders, and an
 *   encoder that lacks processor time looks like a broken server.
 *
 * The fixture rejects a check of media in a test tagged `@no-media`.
 */
import { defineConfig } from '@playwright/test';

const NO_MEDIA = /@no-media/;

/** Tests of the project `page` that run at the same time. */
const pageWorkers = Number(process.env.WATERSMEET_E2E_WORKERS ?? 2);

export default defineConfig({
  testDir: 'tests',
  testMatch: '**/*.spec.ts',
  workers: pageWorkers,
  retries: 0,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  reporter: [['list']],
  projects: [
    { name: 'page', grep: NO_MEDIA, fullyParallel: true, workers: pageWorkers, outputDir: 'test-results/page' },
    { name: 'media', grepInvert: NO_MEDIA, fullyParallel: false, workers: 1, outputDir: 'test-results/media' },
  ],
});
