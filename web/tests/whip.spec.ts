/** Pages that publish with WHIP (RFC 9725), without a client library, as participants of a call see them. */
import { NIGHTLY, ROOM, SMALL_CAMERA, expect, test, type CallParticipant } from './callFixture';

/** Publishes the camera and the microphone of a page; returns the URL of the session. */
function publish(publisher: CallParticipant, name: string, simulcast: boolean): Promise<string> {
  return publisher.page.evaluate(
    async ([room, displayName, hasLayers]) => {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
      const connection = new RTCPeerConnection();
      for (const track of stream.getTracks()) {
        const layers = [{ rid: 'h', scaleResolutionDownBy: 2 }, { rid: 'f' }];
        const sendEncodings = hasLayers && track.kind === 'video' ? layers : undefined;
        connection.addTransceiver(track, { direction: 'sendonly', streams: [stream], ...(sendEncodings && { sendEncodings }) });
      }
      await connection.setLocalDescription();
      const response = await fetch(`/whip/${room}?name=${displayName}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp' },
        body: connection.localDescription?.sdp ?? '',
      });
      const text = await response.text();
      if (response.status !== 201) throw new Error(`${response.status} ${text}`);
      await connection.setRemoteDescription({ type: 'answer', sdp: text });
      return response.headers.get('Location') ?? '';
    },
    [ROOM, name, simulcast] as const,
  );
}

for (const browser of ['chromium', 'firefox'] as const) {
  test(`a page in ${browser} publishes with WHIP and is seen and heard`, async ({ call }) => {
    const ana = await call.join('ana', SMALL_CAMERA);
    const studio = await call.open('studio', { browser });
    const session = await publish(studio, 'studio', browser === 'chromium');
    await ana.expectVideoFrom(studio);
    await ana.expectAudioFrom(studio);
    await studio.page.evaluate((url) => fetch(url, { method: 'DELETE' }), session);
    await ana.expectTileGone(studio, 2_000);
  });
}

test('a WHIP publisher leaves the call when its connection is closed', async ({ call }) => {
  const ana = await call.join('ana', SMALL_CAMERA);
  const studio = await call.open('studio');
  const session = await publish(studio, 'studio', false);
  await ana.expectVideoFrom(studio);
  await studio.page.evaluate(() => window.connections.at(-1)?.close());
  await ana.expectTileGone(studio, 5_000);
  expect(await studio.page.evaluate(async (url) => (await fetch(url, { method: 'DELETE' })).status, session)).toBe(404);
});

test('a WHIP publisher of which nothing arrives any more leaves the call', NIGHTLY, async ({ call }) => {
  const ana = await call.join('ana', SMALL_CAMERA);
  const studio = await call.open('studio');
  await publish(studio, 'studio', false);
  await ana.expectVideoFrom(studio);
  await studio.closeWindow();
  await ana.expectTileGone(studio, 40_000);
});
