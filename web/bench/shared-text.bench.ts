/**
 * A viewer in Chromium whose line carries 150 kbit/s, beside a voice and a camera, reads a shared screen with text in
 * 8 points: how long after a page was turned. Needs the program tesseract.
 */
import { ROOM, expect, test, type Call, type CallParticipant } from '../tests/callFixture';
import { concealedPercent, readPageReports, recordLine } from '../tests/lineQuality';
import type { Relay } from '../tests/relay';
import { sleep } from '../tests/server';
import { captureText, differenceFrom, readShare, shownPicture, turnTo, type Picture } from '../tests/textPage';
import type { Page } from '@playwright/test';

const LINE = 'delay=20 queue=300';
const SLOW_KBPS = 150;
/** Time after which the publisher was told of the line, and the first page is seen. */
const SETTLED_MS = 20_000;
/** Time between two pages. */
const PAGE_MS = 10_000;
const PAGES = [2, 3, 4];
/** Share of the letters from which on a page counts as read. */
const READ_MIN = 0.98;
/** Difference of a picture from its page; that of another page is about 10. */
const DIFFERENCE_MAX = 5;

/** Pictures that the viewer was shown after a page was turned. */
async function picturesAfter(viewer: Page, turned: number): Promise<Picture[]> {
  const pictures: Picture[] = [];
  while (Date.now() < turned + PAGE_MS) {
    const picture = await shownPicture(viewer);
    if (picture && picture.png !== pictures.at(-1)?.png) pictures.push(picture);
    await sleep(200);
  }
  return pictures;
}

/** Starts a call of a page with a voice and a camera, one that shares the screen, and one that views them over a line. */
async function startCall(call: Call) {
  const { relay } = await call.startServerBehindRelay({});
  await relay.command(`both ${LINE}`);
  const cleo = await call.join('cleo', { options: { width: '320' } });
  const ben = await call.join('ben', { options: { width: '320' }, relayPort: relay.port, viewport: { width: 1600, height: 1000 } });
  await ben.turnCameraOff();
  const ana = await call.open('ana', { room: ROOM, options: { camera: '0', mic: '0' } });
  await captureText(ana.page);
  await ana.reload();
  await ana.join();
  await turnTo(ana.page, 1);
  await ana.page.getByRole('button', { name: 'Share screen' }).click();
  return { cleo, ben, screen: ana.page, relay };
}

/** Returns after how long a page was seen, and read. */
async function measurePage(ben: CallParticipant, screen: Page, number: number): Promise<{ seenMs: number; readMs: number }> {
  const turned = await turnTo(screen, number);
  const found = { seenMs: Infinity, readMs: Infinity };
  for (const picture of await picturesAfter(ben.page, turned)) {
    const difference = await differenceFrom(screen, picture);
    if (difference > DIFFERENCE_MAX) continue;
    found.seenMs = Math.min(found.seenMs, picture.at - turned);
    const share = await readShare(screen, picture, number);
    if (share < READ_MIN) continue;
    found.readMs = picture.at - turned;
    break;
  }
  return found;
}

async function slowDown(relay: Relay): Promise<void> {
  await relay.command(`down ${LINE} rate=${SLOW_KBPS * 1_000}`);
  await sleep(SETTLED_MS);
}

test('pages of small text', async ({ call }) => {
  test.setTimeout(240_000);
  const { cleo, ben, screen, relay } = await startCall(call);
  await expect.poll(() => shownPicture(ben.page), { message: 'a first picture', timeout: 20_000 }).not.toBeNull();
  await slowDown(relay);
  for (const number of PAGES) {
    const recording = recordLine(() => readPageReports(ben, cleo), relay, PAGE_MS / 1_000);
    const { seenMs, readMs } = await measurePage(ben, screen, number);
    const concealed = concealedPercent(await recording).toFixed(2);
    console.log(`page ${number}: seen after ${seenMs} ms, read after ${readMs} ms; ${concealed} % of the sound concealed`);
  }
});
