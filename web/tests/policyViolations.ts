/** Records what the Content Security Policy forbade in pages of the server; every test fails on any. */
import type { BrowserContext } from '@playwright/test';

/** Beginning of the console messages by which pages report violations. */
const PREFIX = 'policy violation:';

/** Adds violations in all pages of a context to the list. */
export async function recordPolicyViolations(context: BrowserContext, violations: string[]): Promise<void> {
  context.on('console', (message) => {
    if (message.text().startsWith(PREFIX)) violations.push(message.text());
  });
  await context.addInitScript((prefix) => {
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) => {
      console.error(`${prefix} ${effectiveDirective} ${blockedURI} at ${sourceFile}:${lineNumber}`);
    });
  }, PREFIX);
}
