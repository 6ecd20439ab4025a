/** The page in the person's language: chosen by the browser or the person, loaded on demand, from right to left. */
import type { Page } from '@playwright/test';
import type { Catalogue } from '../src/i18n/catalogue';
import { LANGUAGES, LANGUAGE_TAGS } from '../src/i18n/languages';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';

/** Records the names of the scripts that the page loads. */
function recordScripts(page: Page): string[] {
  const scripts: string[] = [];
  page.on('response', (response) => {
    const name = /\/assets\/([^/]+)\.js$/.exec(response.url())?.[1];
    if (name) scripts.push(name);
  });
  return scripts;
}

for (const tag of LANGUAGE_TAGS) {
  test(`a browser in ${tag} gets the page in its language`, NO_MEDIA, async ({ call }) => {
    const { page } = await call.open('ana', { locale: `${tag}-XX` });
    const scripts = recordScripts(page);
    await page.reload();
    const texts: Catalogue = await LANGUAGES[tag].load();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(texts['landing.title']);
    await expect(page.locator('html')).toHaveAttribute('lang', tag);
    await expect(page.locator('html')).toHaveAttribute('dir', LANGUAGES[tag].direction);
    const loaded = scripts.map((name) => name.split('-')[0] ?? '').filter((name) => Object.hasOwn(LANGUAGES, name));
    expect(new Set(loaded)).toEqual(new Set(tag === 'en' ? [] : [tag]));
  });
}

test('a chosen language is shown at once and remembered', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana', { room: ROOM });
  await page.getByLabel('Language').selectOption('Français');
  await expect(page.getByRole('button', { name: 'Rejoindre' })).toBeVisible();
  await page.reload();
  await expect(page.getByLabel('Langue')).toHaveValue('fr');
});

test('somebody reads a call in another language than the others', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM, locale: 'de' });
  await ben.page.getByLabel('Ihr Name').fill('ben');
  await ben.page.getByRole('button', { name: 'Jetzt teilnehmen' }).click();
  await expect(ben.page.getByRole('status', { name: 'Verbindung' })).toHaveText('Verbunden');
  await expect(ana.page.getByText('ben joined')).toBeVisible();
  await ana.leave();
  await expect(ben.page.getByText('ana ist gegangen')).toBeVisible();
});

test('a language that cannot be loaded leaves the page in English', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana', { locale: 'es' });
  await page.route(/\/assets\/es-/, (route) => route.abort());
  await page.reload();
  await expect(page.getByRole('button', { name: 'New meeting' })).toBeVisible();
});

test('from right to left, controls are mirrored and nothing is cut', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana', { room: ROOM, locale: 'ar', viewport: { width: 390, height: 844 } });
  const left = async (selector: string) => (await page.locator(selector).boundingBox())?.x ?? NaN;
  expect(await left('.brand .mark')).toBeGreaterThan(await left('.brand .language'));
  await page.getByLabel('اسمك').fill('ليلى');
  await page.getByRole('button', { name: 'انضم الآن' }).click();
  await expect(page.getByRole('status', { name: 'الاتصال' })).toHaveText('متصل');
  expect(await left('.bar .mark')).toBeGreaterThan(await left('.bar .copy'));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
});
