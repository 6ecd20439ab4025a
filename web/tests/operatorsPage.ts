/** A server with an operators' page, and that page. */
import type { Page } from '@playwright/test';
import { expect, type Call } from './callFixture';
import { freePort, type Server } from './server';

export const KEY = 'f4b0c2d97a1e4c6f8b3d5e7092a4c6e8f1b3d5a7c9e0f2b4d6a8c0e2f4b6d8a0';

export interface OperatedCall {
  /** URL of the operators' page. */
  url: string;
  page: Page;
  server: Server;
}

/** Starts a server with an operators' page, and opens that. */
export async function openOperators(call: Call, colorScheme: 'light' | 'dark' = 'light', environment = {}): Promise<OperatedCall> {
  const port = await freePort();
  const server = await call.startServer({ WATERSMEET_API_KEY: KEY, WATERSMEET_OPERATORS_PORT: String(port), ...environment });
  const url = `http://127.0.0.1:${port}`;
  // Another page of the fixture, so that it is closed with the others and its policy violations count.
  const { page } = await call.open('operator', { base: `${url}/`, colorScheme });
  return { url, page, server };
}

export async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Key').fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
}
