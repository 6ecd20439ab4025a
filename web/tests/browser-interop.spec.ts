/** Chromium and Firefox in one call, with every codec and with UDP blocked. */
import { NIGHTLY, SMALL_CAMERA, expect, expectAllReceiveAll, test } from './callFixture';

for (const codec of ['vp8', 'vp9']) {
  test(`Chromium and Firefox exchange media with ${codec.toUpperCase()}`, async ({ call }) => {
    await call.startServer({ WATERSMEET_VIDEO_CODEC: codec });
    const ana = await call.join('ana', { browser: 'chromium' });
    const ben = await call.join('ben', { browser: 'firefox' });
    await expectAllReceiveAll([ana, ben]);
    expect(await ana.codecOf(ben)).toBe(`video/${codec.toUpperCase()}`);
    expect(await ben.codecOf(ana)).toBe(`video/${codec.toUpperCase()}`);
  });
}

for (const setting of ['auto', '1.2', '1.3']) {
  test(`Chromium and Firefox connect where the setting of DTLS is ${setting}`, setting === 'auto' ? {} : NIGHTLY, async ({ call }) => {
    await call.startServer({ WATERSMEET_DTLS: setting });
    const ana = await call.join('ana', { browser: 'chromium' });
    const ben = await call.join('ben', { browser: 'firefox' });
    await expectAllReceiveAll([ana, ben]);
    // Chromium lists another profile first than AES-GCM, so that 1.2 is better for it.
    const version = setting === '1.3' ? 'FEFC' : 'FEFD';
    const srtpCipher = setting === '1.3' ? 'SRTP_AES128_CM_HMAC_SHA1_80' : 'SRTP_AEAD_AES_256_GCM';
    const [chromium] = await ana.encryption();
    const [firefox] = await ben.encryption();
    console.log(`DTLS ${setting}: Chromium ${JSON.stringify(chromium)}, Firefox ${JSON.stringify(firefox)}`);
    expect(chromium).toMatchObject({ tlsVersion: version, srtpCipher });
    expect(firefox).toMatchObject({ tlsVersion: setting === '1.2' ? 'FEFD' : 'FEFC' });
  });
}

test('two Chromium exchange media with H264', NIGHTLY, async ({ call }) => {
  await call.startServer({ WATERSMEET_VIDEO_CODEC: 'h264' });
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  await ben.expectVideoFrom(ana);
  await ana.expectAudioFrom(ben);
  expect(await ana.codecOf(ben)).toBe('video/H264');
  expect(await ben.codecOf(ana)).toBe('video/H264');
});

test('one Chromium receives AV1 from another where the server offers it', NIGHTLY, async ({ call }) => {
  await call.startServer({ WATERSMEET_CODECS: 'opus, av1', WATERSMEET_VIDEO_CODEC: 'av1' });
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.join('ben', SMALL_CAMERA);
  await ben.turnCameraOff();
  await ben.expectVideoFrom(ana);
  await ben.expectAudioFrom(ana);
  expect(await ben.codecOf(ana)).toBe('video/AV1');
});

test('Firefox receives H264 from Chromium, and Chromium VP8 from Firefox', NIGHTLY, async ({ call }) => {
  const ana = await call.join('ana', { browser: 'chromium', options: { codec: 'h264' } });
  const ben = await call.join('ben', { browser: 'firefox' });
  await ben.expectVideoFrom(ana);
  await ana.expectVideoFrom(ben);
  expect(await ben.codecOf(ana)).toBe('video/H264');
  expect(await ana.codecOf(ben)).toBe('video/VP8');
});

test('the URL selects the codec where the server forces none', async ({ call }) => {
  const ana = await call.join('ana', { options: { codec: 'vp9' } });
  const ben = await call.join('ben');
  await ben.expectVideoFrom(ana);
  await ana.expectVideoFrom(ben);
  expect(await ben.codecOf(ana)).toBe('video/VP9');
  expect(await ana.codecOf(ben)).toBe('video/VP8');
});

test('media uses TCP where UDP is blocked', async ({ call }) => {
  await call.startServer({ WATERSMEET_UDP: 'false' });
  const ana = await call.join('ana', { browser: 'chromium' });
  const ben = await call.join('ben', { browser: 'firefox' });
  await expectAllReceiveAll([ana, ben]);
  expect(await ana.mediaProtocols()).toEqual(['tcp']);
});

test('page and media share one TCP port where UDP is blocked', async ({ call }) => {
  // The page listens on all addresses: Firefox gathers no candidates for the loopback address.
  const server = await call.startServer({ WATERSMEET_UDP: 'false', WATERSMEET_ONE_PORT: 'true', LISTEN_IP: '0.0.0.0' });
  const ana = await call.join('ana', { browser: 'chromium' });
  const ben = await call.join('ben', { browser: 'firefox' });
  await expectAllReceiveAll([ana, ben]);
  for (const participant of [ana, ben]) {
    expect(await participant.mediaProtocols()).toEqual(['tcp']);
    expect(await participant.mediaPort()).toBe(server.port);
  }
});
