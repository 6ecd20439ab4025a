/** Cameras that show drawn people, and a screen that shows slides, in place of the test pattern of the browser. */
import type { Page } from '@playwright/test';

/** Makes the page's cameras show a drawn person from now on; `person` is one of many. Takes effect when the page loads. */
export async function drawCamera(page: Page, person: number): Promise<void> {
  await page.addInitScript((number) => {
    const [WIDTH, HEIGHT] = [640, 360];
    /** Nine of these run on one machine. */
    const FRAME_MS = 200;
    const pick = <T>(values: readonly T[], shift: number) => values[(number + shift) % values.length] as T;
    const skin = pick(['#f1c9a5', '#8d5a3b', '#fbe3cf', '#c68642', '#5c3a21', '#e0ac69'], 0);
    const hair = pick(['#3b2314', '#111111', '#b8541d', '#e0c060', '#6b6b6b'], 0);
    const shirt = pick(['#1f6f6b', '#d9832b', '#5a2a82', '#b01e52', '#27548a', '#3f7d20', '#7a4a2b'], 2);
    const wall = pick(['#dcd3f0', '#f3e3c3', '#cfe3ee', '#f0cfd0', '#d5ead4', '#e4e0da'], 1);

    /** Draws a window, a shelf with books, and the person, who moves from side to side a little. */
    function draw(context: CanvasRenderingContext2D, atMs: number): void {
      const ellipse = (x: number, y: number, rx: number, ry: number, colour: string) => {
        context.fillStyle = colour;
        context.beginPath();
        context.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
        context.fill();
      };
      const box = (x: number, y: number, width: number, height: number, colour: string) => {
        context.fillStyle = colour;
        context.fillRect(x, y, width, height);
      };
      const side = number % 2 === 0 ? 0 : 1;
      const x = 320 + 6 * Math.sin(atMs / 900 + number);
      const y = 165 + 3 * Math.sin(atMs / 700 + number);
      box(0, 0, WIDTH, HEIGHT, wall);
      box(side ? 40 : 470, 40, 130, 140, '#ffffff');
      box(side ? 48 : 478, 48, 53, 124, '#bfe0f2');
      box(side ? 109 : 539, 48, 53, 124, '#bfe0f2');
      for (let book = 0; book < 7; book += 1) {
        const height = 44 + ((book * 17 + number * 7) % 22);
        box((side ? 470 : 50) + book * 18, 150 - height, 14, height, pick(['#5b3fa0', '#c0527a', '#4763c9', '#5fb79b', '#d99a2b'], book));
      }
      box(side ? 460 : 40, 150, 145, 7, '#8a6a4a');
      // Long hair falls behind the shoulders.
      if (number % 3 !== 1) ellipse(x, y + 30, 78, 104, hair);
      ellipse(x, 372, 150, 118, shirt);
      box(x - 24, y + 50, 48, 62, skin);
      ellipse(x, y, 62, 78, skin);
      context.fillStyle = hair;
      context.beginPath();
      context.ellipse(x, y - 24, 66, 62, 0, Math.PI, 2 * Math.PI);
      context.fill();
      if (number % 4 === 2) ellipse(x, y - 92, 26, 22, hair);
      for (const eye of [-24, 24]) {
        ellipse(x + eye, y + 2, 5, 6, '#1a1a1a');
        if (number % 4 !== 3) continue;
        context.strokeStyle = '#333333';
        context.lineWidth = 3;
        context.beginPath();
        context.arc(x + eye, y + 2, 17, 0, 2 * Math.PI);
        context.stroke();
      }
      context.strokeStyle = '#8f3b3b';
      context.lineWidth = 4;
      context.beginPath();
      context.arc(x, y + 28, 20, 0.2 * Math.PI, 0.8 * Math.PI);
      context.stroke();
    }

    const devices = navigator.mediaDevices;
    const capture = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      const stream = await capture(constraints);
      for (const track of stream.getVideoTracks()) {
        const { deviceId, width = WIDTH } = track.getSettings();
        const canvas = document.createElement('canvas');
        canvas.width = Math.min(width, WIDTH);
        canvas.height = (canvas.width * HEIGHT) / WIDTH;
        const context = canvas.getContext('2d');
        if (!context) continue;
        context.scale(canvas.width / WIDTH, canvas.width / WIDTH);
        draw(context, 0);
        setInterval(() => draw(context, performance.now()), FRAME_MS);
        stream.removeTrack(track);
        track.stop();
        for (const drawn of canvas.captureStream(1_000 / FRAME_MS).getVideoTracks()) {
          const settings = drawn.getSettings.bind(drawn);
          // The page names the camera by its id.
          drawn.getSettings = () => ({ ...settings(), ...(deviceId && { deviceId }) });
          stream.addTrack(drawn);
        }
      }
      return stream;
    };
  }, person);
}

/** Makes the page share a slide with a chart in place of a screen. */
export async function drawScreen(page: Page): Promise<void> {
  await page.evaluate(() => {
    const [WIDTH, HEIGHT] = [1_600, 1_000];
    navigator.mediaDevices.getDisplayMedia = async () => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [WIDTH, HEIGHT];
      const context = canvas.getContext('2d');
      const text = (words: string, x: number, y: number, font: string, colour: string) => {
        if (!context) return;
        context.font = font;
        context.fillStyle = colour;
        context.fillText(words, x, y);
      };
      const draw = () => {
        if (!context) return;
        context.fillStyle = '#ffffff';
        context.fillRect(0, 0, WIDTH, HEIGHT);
        context.fillStyle = '#0b6f6b';
        context.fillRect(0, 0, WIDTH, 16);
        text('Harbour project: where we stand', 100, 150, '700 66px sans-serif', '#10211f');
        const lines = ['Survey finished, two weeks early', 'Piles 1 to 24 are in; the last six follow in May', 'Noise stays below the limit at night', 'Open: who tells the fishing club?'];
        lines.forEach((line, index) => text(`•  ${line}`, 110, 250 + index * 72, '36px sans-serif', '#334a47'));
        const values = [135, 210, 185, 260, 300, 350];
        values.forEach((value, index) => {
          context.fillStyle = index === values.length - 1 ? '#4cc9bb' : '#0b6f6b';
          context.fillRect(120 + index * 230, 920 - value, 150, value);
          text(['Nov', 'Dec', 'Jan', 'Feb', 'Mar', 'Apr'][index] ?? '', 165 + index * 230, 965, '30px sans-serif', '#556866');
        });
      };
      draw();
      setInterval(draw, 500);
      return canvas.captureStream(5);
    };
  });
}
