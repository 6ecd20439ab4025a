/** A whole call in Firefox, as others see it in Chromium: talking, seeing, writing, sharing a screen, leaving. */
import { SMALL_CAMERA, expectAllReceiveAll, expect, test } from './callFixture';
import { ChatPage } from './chatPage';
import { expectDecoded, shareText } from './sharing';

test('a person with Firefox talks, is seen, writes, shares a screen and leaves', async ({ call }) => {
  const ana = await call.join('ana', SMALL_CAMERA);
  const fay = await call.join('fay', { browser: 'firefox', ...SMALL_CAMERA });
  await expectAllReceiveAll([ana, fay]);

  const [anasChat, faysChat] = [new ChatPage(ana), new ChatPage(fay)];
  await faysChat.open();
  await faysChat.send('Hello from Firefox');
  await anasChat.open();
  await anasChat.expectTexts(['Hello from Firefox']);
  await anasChat.send('Hello from Chromium');
  await faysChat.expectTexts(['Hello from Firefox', 'Hello from Chromium']);
  await anasChat.close();
  await faysChat.close();

  // Without a display, Firefox has no screen to share; everything behind the capture is its own.
  await shareText(fay, 640, 360);
  await fay.page.getByRole('button', { name: 'Share screen' }).click();
  await expectDecoded(ana, 'Screen shared by fay', 640, 360);
  await fay.page.getByRole('button', { name: 'Stop sharing' }).first().click();
  await expect(ana.page.getByLabel('Screen shared by fay')).toHaveCount(0);
  await ana.expectVideoFrom(fay);

  await fay.leave();
  await ana.expectTileGone(fay, 2_000);
});
