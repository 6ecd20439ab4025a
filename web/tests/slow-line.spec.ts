/**
 * A viewer in Chromium whose line becomes slow: the picture goes on in the layer that fits, is held back
 * with a word about it where none fits, and returns by itself.
 */
import { expect, test, type Call, type CallParticipant } from './callFixture';
import { between, concealedPercent, longestPauseMs, mostOfferedKbps, readPageReports, recordLine } from './lineQuality';
import type { Relay } from './relay';

const LINE = 'delay=20 queue=300';
/** The line carries the camera's lower layers with this bitrate, but not the highest. */
const SLOW_KBPS = 700;
/** Audio and no video. */
const STARVED_KBPS = 100;
/** Time within which people are told. */
const TOLD_MS_MAX = 3_000;
/** In the first second after a change nobody can know of it, and in the next the queue drains. */
const UNKNOWN_MS = 2_000;
/** What may be offered to the line then, as a multiple of what it carries. */
const OFFERED_MAX = 1.5;

async function startCall(call: Call): Promise<{ ana: CallParticipant; ben: CallParticipant; down: Relay }> {
  const [down] = await call.startServerBehindRelays(1);
  if (!down) throw new Error('no relay was started');
  await down.command(`both ${LINE}`);
  const ana = await call.join('ana', { options: { width: '1280' } });
  const ben = await call.join('ben', { options: { width: '320' }, relayPort: down.port, viewport: { width: 1600, height: 1000 } });
  await ben.turnCameraOff();
  await ben.expectVideoFrom(ana);
  return { ana, ben, down };
}

test('the picture goes on in a lower layer when the line becomes slow', async ({ call }) => {
  test.setTimeout(120_000);
  const { ana, ben, down } = await startCall(call);
  await down.command(`down ${LINE} rate=${SLOW_KBPS * 1_000}`);
  const samples = await recordLine(() => readPageReports(ben, ana), down, 15);
  expect.soft(mostOfferedKbps(between(samples, UNKNOWN_MS)) / SLOW_KBPS, 'offered').toBeLessThan(OFFERED_MAX);
  expect.soft(concealedPercent(samples), 'sound made up').toBeLessThan(2);
  expect.soft(longestPauseMs(between(samples, 4_000)), 'longest time without a frame').toBeLessThan(1_000);
});

test('a picture that does not fit is held back with a word about it, and returns', async ({ call }) => {
  test.setTimeout(120_000);
  const { ana, ben, down } = await startCall(call);
  const slowAt = Date.now();
  await down.command(`down ${LINE} rate=${STARVED_KBPS * 1_000}`);
  const note = ben.tileOf(ana).getByText('Your connection is too slow for this picture.');
  await expect(note).toBeVisible({ timeout: TOLD_MS_MAX });
  console.log(`line of ${STARVED_KBPS} kbit/s: told after ${Date.now() - slowAt} ms`);
  await ben.expectAudioFrom(ana);
  await expect(ben.page.getByRole('button', { name: 'Your connection is slow' })).toBeVisible();
  await down.command(`down ${LINE}`);
  await expect(note).toBeHidden({ timeout: 15_000 });
  await ben.expectVideoFrom(ana);
});
