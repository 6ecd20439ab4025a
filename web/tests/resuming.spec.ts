/** A signalling connection that is cut: the session goes on with the same media, and nobody else notices. */
import type { Page } from '@playwright/test';
import { SMALL_CAMERA, expect, test } from './callFixture';
import { ChatPage, WITHOUT_DEVICES } from './chatPage';
import { InterruptibleLine } from './interruptibleLine';
import { sleep } from './server';

const CUT_MS = 5_000;
/** A longer time without a decoded frame is an interruption; a busy machine makes shorter ones by itself. */
const FRAME_GAP_MS_MAX = 1_500;
/** How soon the session may go on, counted from the line: the delay of an attempt, and the reply on a busy machine. */
const RESUMED_MS_MAX = 2_500;

/** Returns the types of the frames that a page sends or receives from now on, without replies. */
function recordFrames(page: Page, direction: 'framesent' | 'framereceived'): string[] {
  const types: string[] = [];
  page.on('websocket', (socket) => {
    const record = ({ payload }: { payload: string | Buffer }) => {
      const { type, id } = JSON.parse(String(payload)) as { type: string; id?: string };
      if (direction === 'framesent' || id === undefined) types.push(type);
    };
    if (direction === 'framesent') socket.on('framesent', record);
    else socket.on('framereceived', record);
  });
  return types;
}

test('a connection that is cut for five seconds costs no media, no message and no arrival', async ({ call }) => {
  const server = await call.startServer();
  const line = await InterruptibleLine.start(server.port);
  try {
    const ben = await call.open('ben', { room: 'daily', ...SMALL_CAMERA });
    const seenByBen = recordFrames(ben.page, 'framereceived');
    await ben.reload();
    await ben.join();
    const ana = await call.open('ana', { room: 'daily', ...SMALL_CAMERA, base: line.url });
    const sentByAna = recordFrames(ana.page, 'framesent');
    await ana.reload();
    await ana.join();
    await ana.expectVideoFrom(ben);
    await ben.expectVideoFrom(ana);
    const [anaChat, benChat] = [new ChatPage(ana), new ChatPage(ben)];
    await anaChat.open();
    await benChat.open();
    const gapOfAna = await ana.measureFrameGaps(ben);
    const gapOfBen = await ben.measureFrameGaps(ana);
    const [sentBefore, seenBefore] = [sentByAna.length, seenByBen.length];

    const cutAt = Date.now();
    line.cut();
    await expect(ana.page.getByRole('status', { name: 'Connection' })).toHaveText('Reconnecting…');
    await anaChat.send('typed in the gap');
    await benChat.send('written in the gap');
    const eve = await call.join('eve', { room: 'daily', ...WITHOUT_DEVICES });
    await sleep(Math.max(0, cutAt + CUT_MS - Date.now()));
    line.mend();
    const mendedAt = Date.now();
    await ana.expectConnected();
    const resumedMs = Date.now() - mendedAt;

    await expect(ana.tileOf(eve)).toBeVisible();
    await expect(eve.tileOf(ana)).toBeVisible();
    const texts = ['written in the gap', 'typed in the gap'];
    await anaChat.expectTexts(texts);
    await benChat.expectTexts(texts);
    const gaps = [await gapOfAna(), await gapOfBen()];
    console.log(`resumed ${resumedMs} ms after the line; longest time without a frame: ${gaps.map(Math.round).join(', ')} ms`);
    expect(Math.max(...gaps)).toBeLessThan(FRAME_GAP_MS_MAX);
    expect(resumedMs).toBeLessThan(RESUMED_MS_MAX);
    const sent = sentByAna.slice(sentBefore);
    expect(sent).toContain('resumeSession');
    expect(sent.filter((type) => ['joinRoom', 'createTransport', 'produce', 'consume'].includes(type))).toEqual([]);
    const seen = seenByBen.slice(seenBefore);
    expect(seen.filter((type) => ['newPeer', 'peerLeft', 'newProducer', 'producerClosed'].includes(type))).toEqual(['newPeer']);
    await expect(ben.tileOf(eve)).toBeVisible();
  } finally {
    line.stop();
  }
});
