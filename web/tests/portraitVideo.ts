/** A video file of a drawn person in front of a wall of coloured squares, for Chromium's fake camera. */
import { writeFileSync } from 'node:fs';

const WIDTH = 640;
const HEIGHT = 360;

type Colour = [red: number, green: number, blue: number];

interface Ellipse {
  x: number;
  y: number;
  radiusX: number;
  radiusY: number;
  colour: Colour;
}

const SKIN: Colour = [220, 168, 137];
const HAIR: Colour = [50, 32, 22];

/** Parts of the person from the back to the front, in shares of the width and the height. */
const PARTS: Ellipse[] = [
  { x: 0.5, y: 1.04, radiusX: 0.24, radiusY: 0.4, colour: [60, 60, 160] },
  { x: 0.5, y: 0.66, radiusX: 0.055, radiusY: 0.12, colour: [190, 140, 110] },
  { x: 0.5, y: 0.375, radiusX: 0.121, radiusY: 0.278, colour: HAIR },
  { x: 0.5, y: 0.43, radiusX: 0.098, radiusY: 0.243, colour: SKIN },
  ...[0.461, 0.539].flatMap((x): Ellipse[] => [
    { x, y: 0.34, radiusX: 0.027, radiusY: 0.01, colour: HAIR },
    { x, y: 0.389, radiusX: 0.02, radiusY: 0.018, colour: [245, 245, 245] },
    { x, y: 0.389, radiusX: 0.008, radiusY: 0.017, colour: [30, 20, 20] },
  ]),
  { x: 0.5, y: 0.45, radiusX: 0.01, radiusY: 0.045, colour: [200, 145, 115] },
  { x: 0.5, y: 0.556, radiusX: 0.035, radiusY: 0.017, colour: [170, 70, 70] },
];

/** Middle of a cheek and of the wall, in shares of the width and the height. */
export const CHEEK = { x: 0.45, y: 0.47 };
export const WALL = { x: 0.1, y: 0.2 };

/** Writes the video, in YUV4MPEG2; the camera repeats it. */
export function writePortraitVideo(path: string): void {
  const quarter = (WIDTH / 2) * (HEIGHT / 2);
  const frame = Buffer.alloc(WIDTH * HEIGHT + 2 * quarter);
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const [red, green, blue] = colourAt(x / WIDTH, y / HEIGHT);
      frame[y * WIDTH + x] = 16 + 0.257 * red + 0.504 * green + 0.098 * blue;
      if (x % 2 || y % 2) continue;
      const chroma = WIDTH * HEIGHT + (y / 2) * (WIDTH / 2) + x / 2;
      frame[chroma] = 128 - 0.148 * red - 0.291 * green + 0.439 * blue;
      frame[chroma + quarter] = 128 + 0.439 * red - 0.368 * green - 0.071 * blue;
    }
  }
  const marked = Buffer.concat([Buffer.from('FRAME\n'), frame]);
  writeFileSync(path, Buffer.concat([Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F24:1 Ip A1:1 C420jpeg\n`), marked, marked]));
}

function colourAt(x: number, y: number): Colour {
  const covers = (part: Ellipse) => ((x - part.x) / part.radiusX) ** 2 + ((y - part.y) / part.radiusY) ** 2 < 1;
  const square = (Math.floor(x * 8) + Math.floor(y * 6)) % 2 === 0;
  return PARTS.findLast(covers)?.colour ?? (square ? [200, 170, 110] : [40, 120, 130]);
}
