/** What the page loads: little, compressed, kept by the browser, from its own server only; and names as plain text. */
import type { Page } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';

/** Upper bound of all that the first visit loads, headers included. */
const FIRST_LOAD_BYTES_MAX = 150 * 1_024;
/** Smaller files fit into one packet and are not compressed. */
const COMPRESSED_BYTES_MIN = 1_024;

interface Loaded {
  url: string;
  /** Bytes on the wire, headers included. */
  bytes: number;
  /** Bytes of the decoded content. */
  length: number;
  encoding: string;
  caching: string;
}

/** Records every response of a page as it is on the wire. */
async function recordResponses(page: Page): Promise<Loaded[]> {
  const responses: Loaded[] = [];
  const client = await page.context().newCDPSession(page);
  await client.send('Network.enable');
  await client.send('Network.setCacheDisabled', { cacheDisabled: true });
  const byId = new Map<string, Loaded>();
  client.on('Network.responseReceived', ({ requestId, response }) => {
    const headers = new Map(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]));
    const [encoding, caching] = [headers.get('content-encoding') ?? '', headers.get('cache-control') ?? ''];
    byId.set(requestId, { url: response.url, bytes: 0, length: 0, encoding, caching });
  });
  client.on('Network.dataReceived', ({ requestId, dataLength }) => {
    const loaded = byId.get(requestId);
    if (loaded) loaded.length += dataLength;
  });
  client.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const loaded = byId.get(requestId);
    if (loaded) responses.push({ ...loaded, bytes: encodedDataLength });
  });
  return responses;
}

test('the first visit loads at most 150 KiB, compressed and kept by the browser', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana', { room: ROOM });
  const responses = await recordResponses(page);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Join now' })).toBeVisible();
  await page.waitForLoadState('networkidle');
  const bytes = responses.reduce((sum, response) => sum + response.bytes, 0);
  console.log(`the first visit loads ${bytes} bytes in ${responses.length} responses`);
  expect(bytes, JSON.stringify(responses, null, 1)).toBeLessThanOrEqual(FIRST_LOAD_BYTES_MAX);
  const assets = responses.filter(({ url }) => url.includes('/assets/'));
  expect(assets.length).toBeGreaterThanOrEqual(2);
  for (const { url, encoding, caching, length } of assets) {
    if (length >= COMPRESSED_BYTES_MIN) expect(['br', 'gzip'], url).toContain(encoding);
    expect(caching, url).toBe('public, max-age=31536000, immutable');
  }
  const origin = new URL(page.url()).origin;
  expect(responses.filter(({ url }) => !url.startsWith(`${origin}/`))).toEqual([]);
});

test('files are served as brotli or gzip, whichever is accepted', NO_MEDIA, async ({ call }) => {
  const { url } = await call.startServer();
  const page = await (await fetch(url)).text();
  const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? '';
  for (const [accepted, encoding] of [
    ['br, gzip', 'br'],
    ['gzip', 'gzip'],
    ['identity', null],
  ] as const) {
    const { headers } = await fetch(`${url}${script}`, { headers: { 'accept-encoding': accepted } });
    expect(headers.get('content-encoding')).toBe(encoding);
    expect(headers.get('vary')).toContain('Accept-Encoding');
  }
});

test('the policy forbids inline styles, foreign connections, images and frames', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana');
  await page.evaluate(() => {
    const style = document.createElement('style');
    style.textContent = 'body { display: none }';
    document.head.append(style);
    document.body.setAttribute('style', 'display: none');
    const frame = document.createElement('iframe');
    frame.src = '/example/';
    document.body.append(frame);
    const image = new Image();
    image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw=';
    fetch('http://127.0.0.1:9/').catch(() => undefined);
    try {
      new WebSocket('ws://127.0.0.1:9/');
    } catch {
      // Some browsers throw, others report an error later.
    }
  });
  const directives = () => new Set(call.policyViolations.map((violation) => violation.split(' ')[2]));
  const expected = ['style-src-elem', 'style-src-attr', 'frame-src', 'img-src', 'connect-src'];
  await expect.poll(directives).toEqual(new Set(expected));
  await expect(page.getByRole('button', { name: 'New meeting' })).toBeVisible();
  // These were provoked.
  call.policyViolations.splice(0);
});

test('Firefox connects under the policy', NO_MEDIA, async ({ call }) => {
  await call.join('ana', { browser: 'firefox' });
});

test('the description of the REST interface works under the policy', NO_MEDIA, async ({ call }) => {
  const { url } = await call.startServer();
  const { page } = await call.open('ana');
  await page.goto(`${url}/api/`);
  await expect(page.getByText('/api/rooms').first()).toBeVisible();
});

test('an address without a page is answered with 404 and a way home', NO_MEDIA, async ({ call }) => {
  const { url } = await call.startServer();
  const ana = await call.open('ana');
  const response = await ana.page.goto(`${url}/no/such/page`);
  expect(response?.status()).toBe(404);
  await expect(ana.page.getByRole('heading', { name: 'There is no page here' })).toBeVisible();
  await ana.page.getByRole('button', { name: 'Home' }).click();
  await expect(ana.page.getByRole('button', { name: 'New meeting' })).toBeVisible();
  expect(new URL(ana.page.url()).pathname).toBe('/');
});

test('the page can be installed and has a preview for links', NO_MEDIA, async ({ call }) => {
  const { url } = await call.startServer();
  const page = await (await fetch(`${url}/room/tea`)).text();
  const contentOf = (name: string) => new RegExp(`property="${name}" content="([^"]+)"`).exec(page)?.[1] ?? '';
  expect(contentOf('og:title')).not.toBe('');
  const image = await fetch(contentOf('og:image'));
  expect([image.status, image.headers.get('content-type')]).toEqual([200, 'image/png']);
  expect(contentOf('og:image')).toBe(`${url}/preview.png`);
  const manifestUrl = new URL(/rel="manifest" href="([^"]+)"/.exec(page)?.[1] ?? '', url);
  const response = await fetch(manifestUrl);
  expect(response.headers.get('content-type')).toContain('application/manifest+json');
  const manifest = (await response.json()) as { icons: { src: string; type: string }[] };
  for (const { src, type } of manifest.icons) {
    const icon = await fetch(new URL(src, manifestUrl));
    expect([icon.status, icon.headers.get('content-type')], src).toEqual([200, type]);
  }
});

test('names with markup, turned text and many emoji are text', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  const evil = '<img src=x onerror=alert(1)>';
  await ben.page.getByLabel('Your name').fill(`\u202e${evil}\u2066`);
  await ben.page.getByRole('button', { name: 'Join now' }).click();
  await expect(ana.page.getByRole('figure', { name: evil, exact: true })).toBeVisible();
  await expect(ana.page.getByText(`${evil} joined`)).toBeVisible();
  expect(await ana.page.locator('img').count()).toBe(0);
  const carla = await call.open('carla', { room: ROOM, options: { name: '😀'.repeat(600), autojoin: '1' } });
  await carla.expectConnected();
  await expect(ana.page.getByRole('figure', { name: '😀'.repeat(64), exact: true })).toBeVisible();
});
