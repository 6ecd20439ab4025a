/** Unit tests, which need no browser. Playwright tests calls. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['src/**/*.test.ts', 'client/*.test.ts', 'operators/*.test.ts', 'tests/**/*.test.ts', 'bench/**/*.test.ts'], environment: 'node' },
});
