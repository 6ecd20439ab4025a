/** Draws a picture of a camera with another background. Runs in a worker. */
import type { Backdrop, Scene } from './messages';
import { MODEL_HEIGHT, MODEL_WIDTH } from './segmentationModel';

type Picture = VideoFrame | ImageBitmap;

/** Surety from which a pixel counts as background and as person, with a soft edge between. */
const PERSON_MIN = 0.3;
const PERSON_SURE = 0.7;
/** Share of the mask before, so that edges do not flicker. */
const MASK_INERTIA = 0.35;
/** Widths through which a picture is scaled down and up again to blur it; the narrowest decides how much remains. */
const BLUR_WIDTHS = [160, 40, 20, 40, 160];

/** Colours of each scene: the sky from top to bottom, and a sun or lamp with its place. */
const SCENE_COLOURS: Record<Scene, { sky: string[]; light: string; at: [number, number] }> = {
  dusk: { sky: ['#1d2a52', '#6b4a7e', '#e08a6d'], light: 'rgb(255 214 150 / 70%)', at: [0.78, 0.8] },
  meadow: { sky: ['#bfe3f2', '#dcefd9', '#7fae6a'], light: 'rgb(255 255 235 / 80%)', at: [0.2, 0.2] },
  paper: { sky: ['#f3efe7', '#e6dfd2', '#cfc4b2'], light: 'rgb(255 255 255 / 70%)', at: [0.5, 0.3] },
};

export class Compositor {
  readonly output = surface(1, 1);
  private backdrop: Backdrop = 'blur';
  private readonly input = surface(MODEL_WIDTH, MODEL_HEIGHT, true);
  private readonly mask = surface(MODEL_WIDTH, MODEL_HEIGHT);
  private readonly maskData = new ImageData(MODEL_WIDTH, MODEL_HEIGHT);
  private readonly smoothed = new Float32Array(MODEL_WIDTH * MODEL_HEIGHT);
  private readonly blurred = BLUR_WIDTHS.map((width) => surface(width, Math.round((width * 9) / 16)));
  /** The backdrop in the size of the output; null until it is drawn. */
  private scene: Surface | null = null;

  setBackdrop(backdrop: Backdrop): void {
    this.backdrop = backdrop;
    this.scene = null;
  }

  /** Returns a picture in the size of the model. */
  shrink(picture: Picture): ImageData {
    const { context } = this.input;
    context.drawImage(picture, 0, 0, MODEL_WIDTH, MODEL_HEIGHT);
    return context.getImageData(0, 0, MODEL_WIDTH, MODEL_HEIGHT);
  }

  /** Draws a picture with another background into `output`. */
  compose(picture: Picture, size: { width: number; height: number }, confidences: Float32Array): void {
    this.resize(size);
    this.updateMask(confidences);
    const { canvas, context } = this.output;
    context.globalCompositeOperation = 'copy';
    context.drawImage(this.mask.canvas, 0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = 'source-in';
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = 'destination-over';
    const behind = this.backdrop === 'blur' ? this.blur(picture) : (this.scene ??= this.drawScene(this.backdrop));
    context.drawImage(behind.canvas, 0, 0, canvas.width, canvas.height);
  }

  private resize({ width, height }: { width: number; height: number }): void {
    const { canvas } = this.output;
    if (canvas.width === width && canvas.height === height) return;
    [canvas.width, canvas.height] = [width, height];
    this.scene = null;
  }

  private updateMask(confidences: Float32Array): void {
    const { data } = this.maskData;
    confidences.forEach((confidence, index) => {
      const before = this.smoothed[index] ?? 0;
      const value = confidence + (before - confidence) * MASK_INERTIA;
      this.smoothed[index] = value;
      data[4 * index + 3] = 255 * smoothStep((value - PERSON_MIN) / (PERSON_SURE - PERSON_MIN));
    });
    this.mask.context.putImageData(this.maskData, 0, 0);
  }

  /** Scaling down and up again blurs as strongly as a filter, costs less, and works in all browsers. */
  private blur(picture: Picture): Surface {
    let from: CanvasImageSource = picture;
    for (const { canvas, context } of this.blurred) {
      context.drawImage(from, 0, 0, canvas.width, canvas.height);
      from = canvas;
    }
    return this.blurred.at(-1) as Surface;
  }

  private drawScene(backdrop: Scene | ImageBitmap): Surface {
    const { width, height } = this.output.canvas;
    const scene = surface(width, height);
    if (typeof backdrop === 'string') drawColours(scene, backdrop);
    else drawCovering(scene, backdrop);
    return scene;
  }
}

interface Surface {
  canvas: OffscreenCanvas;
  context: OffscreenCanvasRenderingContext2D;
}

function surface(width: number, height: number, willReadFrequently = false): Surface {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently });
  if (!context) throw new Error('the browser draws nothing in workers');
  context.imageSmoothingQuality = 'high';
  return { canvas, context };
}

function smoothStep(value: number): number {
  const clamped = Math.max(0, Math.min(1, value));
  return clamped * clamped * (3 - 2 * clamped);
}

function drawColours({ canvas: { width, height }, context }: Surface, scene: Scene): void {
  const { sky, light, at } = SCENE_COLOURS[scene];
  const fill = (gradient: CanvasGradient) => {
    context.fillStyle = gradient;
    context.fillRect(0, 0, width, height);
  };
  const above = context.createLinearGradient(0, 0, 0, height);
  sky.forEach((colour, index) => above.addColorStop(index / (sky.length - 1), colour));
  fill(above);
  const [x, y] = [at[0] * width, at[1] * height];
  const glow = context.createRadialGradient(x, y, 0, x, y, width * 0.5);
  glow.addColorStop(0, light);
  glow.addColorStop(1, 'transparent');
  fill(glow);
}

/** Draws a picture so that it covers all of a surface, its middle in the middle. */
function drawCovering({ canvas: { width, height }, context }: Surface, picture: ImageBitmap): void {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [drawnWidth, drawnHeight] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (width - drawnWidth) / 2, (height - drawnHeight) / 2, drawnWidth, drawnHeight);
}
