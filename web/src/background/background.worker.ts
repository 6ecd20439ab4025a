/** Worker that puts another background behind the person in the pictures of a camera. */
import { Compositor } from './compositor';
import type { WorkerReply, WorkerRequest } from './messages';
import { SegmentationModel } from './segmentationModel';

const loading = SegmentationModel.load();
const compositor = new Compositor();

self.addEventListener('message', ({ data }: MessageEvent<WorkerRequest>) => {
  switch (data.type) {
    case 'setBackdrop':
      return compositor.setBackdrop(data.backdrop);
    case 'processStream':
      return void processStream(data.frames, data.processed).catch(() => reply({ type: 'failed' }));
    case 'processPicture':
      return void processPicture(data.picture).catch(() => reply({ type: 'failed' }));
  }
});

/** Processes the latest frame each time that the one before is done; the browser discards frames in between. */
async function processStream(frames: ReadableStream<VideoFrame>, processed: WritableStream<VideoFrame>): Promise<void> {
  const model = await loading;
  const [reader, writer] = [frames.getReader(), processed.getWriter()];
  for (;;) {
    const { done, value: frame } = await reader.read();
    if (done) return writer.close();
    const startedAt = performance.now();
    const { timestamp, displayWidth: width, displayHeight: height } = frame;
    compositor.compose(frame, { width, height }, model.segment(compositor.shrink(frame)));
    frame.close();
    await writer.write(new VideoFrame(compositor.output.canvas, { timestamp, alpha: 'discard' }));
    reply({ type: 'processed', durationMs: performance.now() - startedAt });
  }
}

async function processPicture(picture: ImageBitmap): Promise<void> {
  const model = await loading;
  const startedAt = performance.now();
  compositor.compose(picture, picture, model.segment(compositor.shrink(picture)));
  picture.close();
  const processed = await createImageBitmap(compositor.output.canvas);
  reply({ type: 'processed', durationMs: performance.now() - startedAt, picture: processed }, [processed]);
}

function reply(message: WorkerReply, transferred: Transferable[] = []): void {
  self.postMessage(message, { transfer: transferred });
}
