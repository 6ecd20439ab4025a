import { signal } from '@preact/signals-core';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Backdrop } from './background/messages';
import type { ProcessingEvents } from './background/processedCamera';
import { CameraBackground, type StartProcessing } from './cameraBackground';

/** A camera that a fake worker processes, as far as the test says. */
class FakeProcessing {
  static running: FakeProcessing[] = [];
  readonly track: MediaStreamTrack;
  stopped = false;

  constructor(
    readonly camera: MediaStreamTrack,
    public backdrop: Backdrop,
    readonly events: ProcessingEvents,
  ) {
    this.track = cameraTrack(`processed ${camera.id}`);
    FakeProcessing.running.push(this);
  }

  setBackdrop(backdrop: Backdrop): void {
    this.backdrop = backdrop;
  }

  stop(): void {
    this.stopped = true;
  }
}

const load = vi.fn(async (): Promise<StartProcessing> => (camera, backdrop, events) => new FakeProcessing(camera, backdrop, events));

function cameraTrack(id: string): MediaStreamTrack {
  return { id } as MediaStreamTrack;
}

/** Returns a background with a camera, and what processes it. */
function create() {
  const camera = signal<MediaStreamTrack | null>(cameraTrack('front'));
  return { camera, background: new CameraBackground(camera, load) };
}

async function started(count = 1): Promise<FakeProcessing> {
  await vi.waitFor(() => expect(FakeProcessing.running).toHaveLength(count));
  return FakeProcessing.running.at(-1) as FakeProcessing;
}

beforeEach(() => {
  vi.spyOn(CameraBackground, 'isSupported', 'get').mockReturnValue(true);
  FakeProcessing.running = [];
  load.mockClear();
});

test('nothing is loaded before another background is chosen', () => {
  const { background } = create();
  expect(background.track.value?.id).toBe('front');
  expect(load).not.toHaveBeenCalled();
});

test('the camera goes on until the first picture with the background is ready', async () => {
  const { background } = create();
  background.choose('blur');
  expect(background.loading.value).toBe(true);
  const processing = await started();
  expect(background.track.value?.id).toBe('front');
  processing.events.onReady();
  expect(background.track.value?.id).toBe('processed front');
  expect(background.loading.value).toBe(false);
});

test('a camera that starts with a background chosen is not shown without it', async () => {
  const { camera, background } = create();
  camera.value = null;
  background.choose('blur');
  camera.value = cameraTrack('front');
  expect(background.track.value).toBeNull();
  (await started()).events.onReady();
  expect(background.track.value?.id).toBe('processed front');
});

test('another background is put behind the same person', async () => {
  const { background } = create();
  background.choose('blur');
  const processing = await started();
  background.choose('dusk');
  await vi.waitFor(() => expect(processing.backdrop).toBe('dusk'));
  expect(FakeProcessing.running).toHaveLength(1);
});

test('all stops with the camera, and another camera is processed anew', async () => {
  const { camera, background } = create();
  background.choose('blur');
  const first = await started();
  first.events.onReady();
  camera.value = null;
  expect(first.stopped).toBe(true);
  expect(background.track.value).toBeNull();
  camera.value = cameraTrack('back');
  (await started(2)).events.onReady();
  expect(background.track.value?.id).toBe('processed back');
});

test('no background stops the processing and shows the camera', async () => {
  const { background } = create();
  background.choose('blur');
  const processing = await started();
  processing.events.onReady();
  background.choose('none');
  expect(processing.stopped).toBe(true);
  expect(background.track.value?.id).toBe('front');
});

test('a slow device goes back to the camera and says why', async () => {
  const { background } = create();
  background.choose('blur');
  const processing = await started();
  processing.events.onReady();
  processing.events.onFailure('slow');
  expect(background.chosen.value).toBe('none');
  expect(background.problem.value).toBe('slow');
  expect(background.track.value?.id).toBe('front');
  background.choose('blur');
  expect(background.problem.value).toBeNull();
});

test('code that cannot be loaded turns the background off', async () => {
  const { background } = create();
  load.mockRejectedValueOnce(new Error('offline'));
  background.choose('blur');
  await vi.waitFor(() => expect(background.problem.value).toBe('failed'));
  expect(background.track.value?.id).toBe('front');
});
