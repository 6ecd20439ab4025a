/** The page behind a reverse proxy that serves it below a path. */
import { NO_MEDIA, ROOM, expect, test, type Call } from './callFixture';
import { ReverseProxy } from './reverseProxy';

const PREFIX = '/a/meet';

/** Runs a test behind a proxy; no request may be outside its path. */
async function behindProxy(call: Call, keepsPrefix: boolean, run: (proxy: ReverseProxy) => Promise<void>): Promise<void> {
  const proxy = await ReverseProxy.start(PREFIX, keepsPrefix);
  try {
    const server = await call.startServer({ BASE_URL: proxy.url, TRUSTED_PROXIES: '127.0.0.1' });
    proxy.upstreamPort = server.port;
    await run(proxy);
    expect(proxy.strayPaths).toEqual([]);
  } finally {
    proxy.stop();
  }
}

for (const keepsPrefix of [true, false]) {
  const what = `a path that the proxy ${keepsPrefix ? 'passes on' : 'removes'}`;

  test(`rooms and their links work below ${what}`, NO_MEDIA, async ({ call }) => {
    await behindProxy(call, keepsPrefix, async (proxy) => {
      const ana = await call.join('ana', { base: proxy.url });
      const ben = await call.open('ben', { base: `${proxy.url}/room/${ROOM}` });
      await ben.join();
      await expect(ana.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
      await ana.forbidClipboard();
      await ana.page.getByRole('button', { name: 'Copy link' }).first().click();
      await expect(ana.page.getByLabel('Copy this link')).toHaveValue(`${proxy.url}/?room=${ROOM}`);
    });
  });

  test(`invitations work below ${what}`, NO_MEDIA, async ({ call }) => {
    await behindProxy(call, keepsPrefix, async (proxy) => {
      const host = await call.open('host', { base: proxy.url });
      await host.page.getByLabel('Who can come in').selectOption('Invited people only');
      await host.page.getByRole('button', { name: 'New meeting' }).click();
      await host.join();
      expect(new URL(host.page.url()).pathname).toBe(`${PREFIX}/`);
      await host.forbidClipboard();
      await host.page.getByRole('button', { name: 'Copy link' }).first().click();
      const link = await host.page.getByLabel('Copy this link').inputValue();
      expect(link.startsWith(`${proxy.url}/join?room=`)).toBe(true);
      const guest = await call.open('guest', { base: link });
      await guest.join();
      await expect(host.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
    });
  });

  test(`the example and the API's page work below ${what}`, NO_MEDIA, async ({ call }) => {
    await behindProxy(call, keepsPrefix, async (proxy) => {
      const { page } = await call.open('reader', { base: `${proxy.url}/example` });
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Example client');
      await page.goto(`${proxy.url}/api`);
      await expect(page.getByText('/api/rooms/{room}').first()).toBeVisible();
    });
  });
}
