/** Chromium and Firefox together, in every codec, and where UDP is blocked. */
import { expect, test } from './callFixture';

for (const codec of ['vp8', 'vp9']) {
  test(`Chromium and Firefox see and hear each other in ${codec.toUpperCase()}`, async ({ people }) => {
    await people.meetAt({ WATERSMEET_VIDEO_CODEC: codec });
    const ana = await people.joins('ana', { in: 'chromium' });
    const ben = await people.joins('ben', { in: 'firefox' });
    await ana.sees(ben);
    await ben.sees(ana);
    await ana.hears(ben);
    await ben.hears(ana);
    expect(await ana.codecOf(ben)).toBe(`video/${codec.toUpperCase()}`);
    expect(await ben.codecOf(ana)).toBe(`video/${codec.toUpperCase()}`);
  });
}

test('Chromium and Chromium see and hear each other in H264', async ({ people }) => {
  await people.meetAt({ WATERSMEET_VIDEO_CODEC: 'h264' });
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  await ben.sees(ana);
  await ana.hears(ben);
  expect(await ana.codecOf(ben)).toBe('video/H264');
  expect(await ben.codecOf(ana)).toBe('video/H264');
});

test('Firefox sees H264 from Chromium, and Chromium VP8 from Firefox', async ({ people }) => {
  const ana = await people.joins('ana', { in: 'chromium', options: { codec: 'h264' } });
  const ben = await people.joins('ben', { in: 'firefox' });
  await ben.sees(ana);
  await ana.sees(ben);
  expect(await ben.codecOf(ana)).toBe('video/H264');
  expect(await ana.codecOf(ben)).toBe('video/VP8');
});

test('the page may ask for a codec where the server leaves the choice', async ({ people }) => {
  const ana = await people.joins('ana', { options: { codec: 'vp9' } });
  const ben = await people.joins('ben');
  await ben.sees(ana);
  await ana.sees(ben);
  expect(await ben.codecOf(ana)).toBe('video/VP9');
  expect(await ana.codecOf(ben)).toBe('video/VP8');
});

test('with UDP blocked the call goes over TCP', async ({ people }) => {
  await people.meetAt({ WATERSMEET_UDP: 'false' });
  const ana = await people.joins('ana', { in: 'chromium' });
  const ben = await people.joins('ben', { in: 'firefox' });
  await ana.sees(ben);
  await ben.sees(ana);
  await ana.hears(ben);
  await ben.hears(ana);
  expect(await ana.mediaProtocol()).toEqual(['tcp']);
});
