/** Unit tests: everything that needs no browser. The calls themselves are tested by Playwright. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
