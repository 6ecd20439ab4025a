/** The page in a frame of another site: who may embed it, which commands it takes, and what it tells. */
import type { FrameLocator, Page } from '@playwright/test';
import axe from 'axe-core';
import { NO_MEDIA, ROOM, expect, test, type Call } from './callFixture';
import { OtherSite } from './otherSite';

type Message = { event: string } & Record<string, unknown>;

/** A page of another site with the meeting in a frame. */
class EmbeddingPage {
  private constructor(
    readonly page: Page,
    private readonly server: string,
  ) {}

  /** Opens a page of the site that embeds the meeting of a server. */
  static async open(call: Call, site: OtherSite, server: string, options: Record<string, string>): Promise<EmbeddingPage> {
    const { page } = await call.open('embedder');
    await page.goto(site.origin);
    const query = new URLSearchParams({ room: ROOM, embed: site.origin, width: '160', ...options });
    await page.evaluate(
      ([src, origin]) => {
        const frame = document.createElement('iframe');
        Object.assign(window, { received: [] });
        addEventListener('message', (event) => {
          if (event.origin === origin && event.source === frame.contentWindow) window.received.push(event.data as Message);
        });
        Object.assign(frame, { src, allow: 'camera; microphone; display-capture', width: 900, height: 560, title: 'Meeting' });
        document.body.append(frame);
      },
      [`${server}/?${query}`, server] as const,
    );
    return new EmbeddingPage(page, server);
  }

  get frame(): FrameLocator {
    return this.page.frameLocator('iframe');
  }

  /** Fails on violations of accessibility rules in the frame, in both colour schemes. */
  async expectAccessible(): Promise<void> {
    const frame = this.page.frames().find((it) => it.url().startsWith(this.server));
    if (!frame) throw new Error('the page has no frame');
    await frame.evaluate(axe.source);
    for (const colorScheme of ['light', 'dark'] as const) {
      await this.page.emulateMedia({ colorScheme });
      const found = await frame.evaluate(async () => {
        const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
      });
      expect(found, colorScheme).toEqual([]);
    }
  }

  send(command: Record<string, string>): Promise<void> {
    return this.page.evaluate(
      ([data, origin]) => document.querySelector('iframe')?.contentWindow?.postMessage(data, origin),
      [{ watersmeet: 1, ...command }, this.server] as const,
    );
  }

  /** Returns the events so far with this name. */
  async events(event: string): Promise<Message[]> {
    return (await this.page.evaluate(() => window.received)).filter((message) => message.event === event);
  }

  /** Waits until the last event with this name has these fields. */
  async expectLast(event: string, fields: Record<string, unknown>): Promise<void> {
    await expect.poll(async () => (await this.events(event)).at(-1)).toMatchObject(fields);
  }
}

declare global {
  interface Window {
    /** Messages of the frame. */
    received: Message[];
  }
}

const SITE = new Map([['/index.html', '<!doctype html><html lang="en"><title>A product</title><body></body></html>']]);

test('a page of an allowed origin commands the meeting in its frame and hears what happens', NO_MEDIA, async ({ call }) => {
  const site = await OtherSite.start(SITE);
  try {
    const server = await call.startServer({ WATERSMEET_EMBED_ORIGINS: site.origin });
    const ben = await call.join('ben');
    const ana = await EmbeddingPage.open(call, site, server.url, { name: 'ana', lang: 'de', mic: '0' });
    await ana.expectLast('ready', { watersmeet: 1, room: ROOM });
    await expect(ana.frame.getByRole('button', { name: 'Jetzt teilnehmen' })).toBeVisible();

    await ana.send({ command: 'join' });
    await ana.expectLast('joined', { room: ROOM });
    await ana.expectLast('participants', { participants: [{ name: 'ben', microphone: true, camera: true, screens: 0 }] });
    await ana.expectLast('media', { microphone: false, camera: true });
    const tile = ben.page.getByRole('figure', { name: 'ana', exact: true });
    await expect(tile).toBeVisible();
    await expect(tile.getByRole('img', { name: 'Muted' })).toBeVisible();

    await ana.expectAccessible();

    await ana.send({ command: 'unmute' });
    await ana.expectLast('media', { microphone: true });
    await expect(tile.getByRole('img', { name: 'Muted' })).toHaveCount(0);
    await ana.send({ command: 'stopCamera' });
    await expect(tile.getByLabel("ana's camera")).toHaveCount(0);
    await ana.send({ command: 'startShare' });
    await expect(ben.page.getByRole('figure', { name: "ana's screen" })).toBeVisible();
    await ana.expectLast('media', { screens: 1 });
    await ana.send({ command: 'stopShare' });
    await expect(ben.page.getByRole('figure', { name: "ana's screen" })).toHaveCount(0);
    await ana.send({ command: 'explode' });
    await ana.expectLast('error', { code: 'unknown-command' });

    await ana.send({ command: 'hangUp' });
    await ana.expectLast('left', { reason: 'left' });
    await expect(tile).toHaveCount(0);
  } finally {
    site.stop();
  }
});

test('a page of another origin shows no meeting and gets no message', NO_MEDIA, async ({ call }) => {
  const [site, stranger] = [await OtherSite.start(SITE), await OtherSite.start(SITE)];
  try {
    const server = await call.startServer({ WATERSMEET_EMBED_ORIGINS: site.origin });
    const allowed = await EmbeddingPage.open(call, site, server.url, { autojoin: '1' });
    await allowed.expectLast('joined', { room: ROOM });
    const refused = await EmbeddingPage.open(call, stranger, server.url, { autojoin: '1' });
    // The browser shows a page of its own instead.
    await expect.poll(() => refused.page.frames().at(-1)?.url()).toMatch(/^chrome-error:/);
    // The page names an origin that may embed it, and the one that does is another.
    const wrong = await EmbeddingPage.open(call, site, server.url, { embed: stranger.origin });
    await expect(wrong.frame.getByRole('button', { name: 'Join now' })).toBeVisible();
    await wrong.send({ command: 'join' });
    await allowed.send({ command: 'hangUp' });
    await allowed.expectLast('left', { reason: 'left' });
    await expect(wrong.frame.getByRole('button', { name: 'Join now' })).toBeVisible();
    for (const { page } of [refused, wrong]) expect(await page.evaluate(() => window.received)).toEqual([]);
    call.policyViolations.splice(0);
  } finally {
    for (const it of [site, stranger]) it.stop();
  }
});
