/** Backgrounds of the camera: others see the background, and the person unchanged. */
import { NIGHTLY, ROOM, SMALL_CAMERA, expect, test, type CallParticipant } from './callFixture';
import { CHEEK, WALL } from './portraitVideo';

/** Files that another background needs. */
const BACKGROUND_FILES = /background\.worker|\.wasm|\.tflite/;
/** Largest difference of a colour that encoding causes, of 255 for each of red, green and blue. */
const SAME_MAX = 30;
/** The first sky of the scene `dusk`, at the height of `WALL`. */
const DUSK = [61, 55, 100];
/** A picture of one pixel, and its colour. */
const PINK_PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4YRMFAAMuAV/M3aHKAAAAAElFTkSuQmCC';
const PINK = [200, 60, 90];

type Point = typeof CHEEK;

/** Returns the mean colour around a point of the other's picture, as displayed. */
function colourOf(viewer: CallParticipant, other: CallParticipant, { x, y }: Point): Promise<number[]> {
  return viewer.page.getByLabel(`${other.name}'s camera`, { exact: true }).evaluate(
    (element, [left, top]) => {
      const video = element as HTMLVideoElement;
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [1, 1];
      const context = canvas.getContext('2d');
      const size = video.videoWidth / 40;
      context?.drawImage(video, left * video.videoWidth - size / 2, top * video.videoHeight - size / 2, size, size, 0, 0, 1, 1);
      return [...(context?.getImageData(0, 0, 1, 1).data ?? [])].slice(0, 3);
    },
    [x, y] as const,
  );
}

function difference(one: number[], other: number[]): number {
  return Math.max(...one.map((value, index) => Math.abs(value - (other[index] ?? 0))));
}

async function choose({ page }: CallParticipant, background: string): Promise<void> {
  await page.getByRole('button', { name: 'Devices' }).click();
  await page.getByRole('radio', { name: background }).check();
  await page.getByRole('button', { name: 'Done' }).click();
}

test('others see a chosen background behind the person, and the person as before', async ({ call }) => {
  await call.startServer();
  const ada = await call.open('Ada', { room: ROOM, browser: 'chromium-portrait' });
  const requested: string[] = [];
  ada.page.on('request', (request) => void (BACKGROUND_FILES.test(request.url()) && requested.push(request.url())));
  await ada.join();
  const ben = await call.join('Ben', { options: { camera: '0' } });
  await ben.expectVideoFrom(ada);
  const layers = () =>
    ada.page.evaluate(() => {
      const senders = window.connections.flatMap((connection) => connection.getSenders());
      const videos = senders.filter(({ track }) => track?.kind === 'video');
      return videos.map((sender) => sender.getParameters().encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy));
    });
  const layersBefore = await layers();
  const [cheek, wall] = [await colourOf(ben, ada, CHEEK), await colourOf(ben, ada, WALL)];
  expect(requested).toEqual([]);

  await choose(ada, 'Dusk');
  const wallDiffersFrom = async (colour: number[]) => difference(await colourOf(ben, ada, WALL), colour);
  await expect.poll(() => wallDiffersFrom(DUSK), { timeout: 30_000 }).toBeLessThan(SAME_MAX);
  expect(difference(await colourOf(ben, ada, CHEEK), cheek)).toBeLessThan(SAME_MAX);
  expect(await layers()).toEqual(layersBefore);
  expect(requested.length).toBeGreaterThan(0);

  await ada.page.getByRole('button', { name: 'Devices' }).click();
  const file = { name: 'pink.png', mimeType: 'image/png', buffer: Buffer.from(PINK_PNG, 'base64') };
  await ada.page.getByLabel('Use a picture of your own').setInputFiles(file);
  await expect.poll(() => wallDiffersFrom(PINK)).toBeLessThan(SAME_MAX);
  await expect(ada.page.getByRole('radio', { name: 'Your picture' })).toBeChecked();
  await ada.page.getByRole('button', { name: 'Done' }).click();

  await choose(ada, 'None');
  await expect.poll(() => wallDiffersFrom(wall)).toBeLessThan(SAME_MAX);
  expect(ada.page.workers()).toEqual([]);
});

test('Firefox shows others a chosen background too', NIGHTLY, async ({ call }) => {
  await call.startServer();
  const fay = await call.join('Fay', { browser: 'firefox', ...SMALL_CAMERA });
  const ben = await call.join('Ben', { options: { camera: '0' } });
  await ben.expectVideoFrom(fay);
  // The fake camera of Firefox shows no person, so that the background covers all of the picture.
  await choose(fay, 'Dusk');
  await expect.poll(async () => difference(await colourOf(ben, fay, WALL), DUSK), { timeout: 30_000 }).toBeLessThan(SAME_MAX);
});
