/** Media that stops on the way while signalling goes on, as when a network changes its mind. */
import { expect, test } from './callFixture';

test('media that was cut off is brought back by a restart of ICE, without joining anew', async ({ people }) => {
  const ana = await people.comes('ana', { room: 'tea-at-four' });
  const lose = await ana.networkLoss();
  const frames: string[] = [];
  ana.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(String(payload))));
  await ana.joins();
  const ben = await people.joins('ben');
  await ana.sees(ben);
  const made = await ana.connectionsMade();
  await lose(100);
  await expect(ana.page.getByRole('status', { name: 'Connection' })).toHaveText('Poor connection');
  await expect.poll(() => frames.some((frame) => frame.includes('"iceRestarted"'))).toBe(true);
  await lose(0);
  await ana.isConnected();
  await ana.sees(ben);
  await ben.sees(ana);
  expect(await ana.connectionsMade()).toBe(made);
});
