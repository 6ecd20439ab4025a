/** Recovery of media by an ICE restart while signalling stays connected. */
import { ROOM, expect, test } from './callFixture';

test('an ICE restart recovers interrupted media without a rejoin', async ({ call }) => {
  // Without media over TCP, to which a browser changes at times within the five seconds after which it tells of the cut.
  await call.startServer({ WATERSMEET_TCP: 'false' });
  const ana = await call.open('ana', { room: ROOM });
  const setPacketLoss = await ana.emulatePacketLoss();
  const frames: string[] = [];
  ana.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(String(payload))));
  // The lobby has opened its connection already: opens one that is listened to.
  await ana.reload();
  await ana.join();
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  const connections = await ana.connectionCount();
  await setPacketLoss(100);
  await expect(ana.page.getByRole('status', { name: 'Connection' })).toHaveText('Poor connection');
  await expect.poll(() => frames.some((frame) => frame.includes('"iceRestarted"'))).toBe(true);
  await setPacketLoss(0);
  await ana.expectConnected();
  await ana.expectVideoFrom(ben);
  await ben.expectVideoFrom(ana);
  expect(await ana.connectionCount()).toBe(connections);
});
