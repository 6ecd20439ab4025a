/** Takes pictures of a page in both sizes and both colour schemes. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { expect } from '../tests/callFixture';

/** Folder of the pictures; not in the repository. */
const FOLDER = fileURLToPath(new URL('pictures/', import.meta.url));
const SIZES = { desktop: { width: 1_280, height: 800 }, phone: { width: 390, height: 844 } };
const COLOURS = ['light', 'dark'] as const;
/** How long a picture that is on its way may take; a state in which none comes is pictured as it is. */
const LOADING_MS_MAX = 5_000;

/**
 * Takes the four pictures of one state, named `NAME-SIZE-COLOURS.png`. A state that lasts a few seconds only is
 * pictured without waiting for videos.
 */
export async function takePictures(page: Page, name: string, loadingMs = LOADING_MS_MAX): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    // Nothing is pointed at.
    await page.mouse.move(0, 0);
    for (const colorScheme of COLOURS) {
      await page.emulateMedia({ colorScheme });
      await settle(page, loadingMs);
      await page.screenshot({ path: `${FOLDER}${name}-${size}-${colorScheme}.png`, animations: 'disabled' });
    }
  }
}

/** Waits until tiles have moved to their places and have their pictures. */
async function settle(page: Page, loadingMs: number): Promise<void> {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const moving = () =>
    page.evaluate(() => document.getAnimations().filter((it) => it.playState === 'running' && it.effect?.getTiming().iterations === 1).length);
  await expect.poll(moving).toBe(0);
  if (loadingMs > 0) await expectLoaded(page, loadingMs).catch(() => undefined);
}

/** Waits until every tile with a video shows it. */
export async function expectLoaded(page: Page, timeout: number): Promise<void> {
  await expect(page.getByRole('img', { name: 'Loading the picture' })).toHaveCount(0, { timeout });
}
