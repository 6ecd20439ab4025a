/** Measurements with real browsers. They print results and check only that something was measured. */
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  testMatch: '**/*.bench.ts',
  workers: 1,
  fullyParallel: false,
  retries: 0,
  timeout: 180_000,
  forbidOnly: true,
  reporter: [['line']],
  outputDir: '../test-results',
});
