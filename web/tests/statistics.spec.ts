/** The statistics of a call: they agree with what the browser reports, and are copied as JSON. */
import { expect, test, SMALL_CAMERA, type CallParticipant } from './callFixture';

interface CopiedTrack {
  source: string;
  width?: number;
  height?: number;
  codec: string;
  route: string;
  bitrate: number;
  frameRate?: number;
  bitrates: number[];
}

interface CopiedStatistics {
  people: { name?: string; own?: boolean; tracks: CopiedTrack[] }[];
}

/** Presses "Copy as JSON" and returns what the clipboard has then. */
async function copyStatistics({ page }: CallParticipant): Promise<CopiedStatistics> {
  await page.evaluate(() => {
    navigator.clipboard.writeText = async (text) => void (document.body.dataset.copied = text);
  });
  await page.getByRole('button', { name: 'Copy as JSON' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  return JSON.parse((await page.evaluate(() => document.body.dataset.copied)) ?? '') as CopiedStatistics;
}

/** Returns what the browser reports of the only video that it receives, counted over a second. */
function receivedVideo({ page }: CallParticipant) {
  return page.evaluate(async () => {
    const read = async () => {
      for (const connection of window.connections) {
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'video' && report.frameWidth) return report;
        }
      }
      throw new Error('no video is received');
    };
    const before = await read();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const after = await read();
    const seconds = (after.timestamp - before.timestamp) / 1_000;
    return {
      width: Number(after.frameWidth),
      height: Number(after.frameHeight),
      bitrate: ((after.bytesReceived - before.bytesReceived) * 8) / seconds,
      frameRate: (after.framesDecoded - before.framesDecoded) / seconds,
    };
  });
}

test('statistics agree with the browser, are copied as JSON, and are opened and closed by keyboard', async ({ call }) => {
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.join('ben', { options: { camera: '0', mic: '0' } });
  await ben.expectVideoFrom(ana);
  await ben.page.keyboard.press('s');
  const panel = ben.page.getByRole('complementary', { name: 'Statistics' });
  const camera = panel.getByRole('region', { name: 'ana' }).getByRole('group', { name: 'Camera' });
  await expect(camera.getByText('VP8')).toBeVisible();
  await expect(camera.locator('polyline')).toHaveAttribute('points', /\d/);
  const reported = await receivedVideo(ben);
  await expect(camera.getByText(`${reported.width} × ${reported.height}`)).toBeVisible();
  const { people } = await copyStatistics(ben);
  const copied = people.find(({ name }) => name === 'ana')?.tracks.find(({ source }) => source === 'camera');
  expect(copied).toMatchObject({ width: reported.width, height: reported.height, codec: 'VP8', route: 'udp' });
  expect(copied?.bitrates.at(-1)).toBe(copied?.bitrate);
  // Two intervals that overlap in part: the camera's own rate varies from second to second.
  expect((copied?.bitrate ?? 0) / reported.bitrate).toBeGreaterThan(0.5);
  expect((copied?.bitrate ?? 0) / reported.bitrate).toBeLessThan(2);
  expect(Math.abs((copied?.frameRate ?? 0) - reported.frameRate)).toBeLessThan(8);
  expect(people.find(({ own }) => own)?.tracks).toEqual([]);
  await ben.page.keyboard.press('Escape');
  await expect(panel).toBeHidden();

  await ana.page.keyboard.press('s');
  const own = ana.page.getByRole('complementary', { name: 'Statistics' }).getByRole('region', { name: 'Your connection' });
  await expect(own.getByRole('group', { name: 'Camera' }).getByText(/^\d+p/)).toBeVisible();
  await expect(own.getByRole('group', { name: 'Microphone' }).getByText('opus')).toBeVisible();
});
