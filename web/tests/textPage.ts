/**
 * Pages of text in 8 points, drawn on a canvas that is captured as a screen, and how much of one can be read in a
 * picture.
 */
import { execFileSync } from 'node:child_process';
import type { Page } from '@playwright/test';

export const SIZE = { width: 1_280, height: 720 };
/** Letters of a line, and the place of the lines: a column as wide as that of a letter. */
const COLUMN = { letters: 82, x: 40, top: 40, bottom: 700, lineHeight: 20 };
/** 8 points on a screen of 96 dots per inch. */
const FONT = '8pt "DejaVu Sans"';
const WORDS = (
  'the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were ' +
  'we when your can said there use an each which she do how their if will up other about out many then them these so some her would ' +
  'make like him into time has look two more write go see number no way could people my than first water been call who its now find ' +
  'long down day did get come made may part'
).split(' ');
/** How much larger the picture is made for tesseract, which expects 300 dots per inch. */
const ENLARGED = 3;

declare global {
  interface Window {
    /** The canvas that is captured instead of a screen. */
    textPage: HTMLCanvasElement;
  }
}

/** Returns the lines of page `number`: the same words in another order. */
export function linesOf(number: number): string[] {
  let seed = number * 7_919 + 1;
  const next = () => (seed = (seed * 48_271) % 2_147_483_647);
  const lines: string[] = [];
  for (let y = COLUMN.top; y < COLUMN.bottom; y += COLUMN.lineHeight) {
    let line = '';
    while (line.length < COLUMN.letters) line += `${WORDS[next() % WORDS.length]} `;
    lines.push(line.trim());
  }
  return lines;
}

/** Lets a page that is not loaded yet capture the canvas instead of a screen. One dot of it changes every second. */
export async function captureText(page: Page): Promise<void> {
  await page.addInitScript(({ width, height }) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    window.textPage = canvas;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no canvas');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    let count = 0;
    setInterval(() => {
      count += 1;
      context.fillStyle = count % 2 === 0 ? '#fff' : '#ddd';
      context.fillRect(0, 0, 2, 2);
    }, 1_000);
    navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream();
  }, SIZE);
}

/** Turns to page `number`, and returns the time. */
export function turnTo(page: Page, number: number): Promise<number> {
  return page.evaluate(
    ({ lines, font, column }) => {
      const canvas = window.textPage;
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      context.fillStyle = '#fff';
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.fillStyle = '#000';
      context.font = font;
      lines.forEach((line, index) => context.fillText(line, column.x, column.top + index * column.lineHeight));
      return Date.now();
    },
    { lines: linesOf(number), font: FONT, column: COLUMN },
  );
}

export interface Picture {
  /** Time at which it was shown. */
  at: number;
  /** PNG, in base64. */
  png: string;
}

/** Returns the picture of this width that a page shows now, if there is one. */
export function shownPicture(page: Page): Promise<Picture | null> {
  return page.evaluate(({ width }) => {
    const video = [...document.querySelectorAll('video')].find((it) => it.videoWidth === width);
    if (!video) return null;
    const canvas = Object.assign(document.createElement('canvas'), { width, height: video.videoHeight });
    canvas.getContext('2d')?.drawImage(video, 0, 0);
    return { at: Date.now(), png: canvas.toDataURL('image/png').replace(/^.*,/, '') };
  }, SIZE);
}

/** Returns the mean difference of a picture from what a page captures, from 0 to 255. */
export function differenceFrom(page: Page, { png }: Picture): Promise<number> {
  return page.evaluate(async (data) => {
    const { width, height } = window.textPage;
    const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))]));
    const context = new OffscreenCanvas(width, height).getContext('2d');
    const drawn = window.textPage.getContext('2d')?.getImageData(0, 0, width, height).data;
    context?.drawImage(picture, 0, 0);
    const shown = context?.getImageData(0, 0, width, height).data;
    if (!drawn || !shown) throw new Error('no canvas');
    let sum = 0;
    for (let at = 1; at < drawn.length; at += 4) sum += Math.abs((drawn[at] ?? 0) - (shown[at] ?? 0));
    return sum / (width * height);
  }, png);
}

/** Returns the share of the letters of page `number` that tesseract reads in a picture. `page` enlarges it. */
export async function readShare(page: Page, { png }: Picture, number: number): Promise<number> {
  const enlarged = await page.evaluate(
    async ({ data, factor }) => {
      const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))]));
      const size = { width: picture.width * factor, height: picture.height * factor };
      const canvas = Object.assign(document.createElement('canvas'), size);
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      context.imageSmoothingQuality = 'high';
      context.drawImage(picture, 0, 0, size.width, size.height);
      return canvas.toDataURL('image/png').replace(/^.*,/, '');
    },
    { data: png, factor: ENLARGED },
  );
  const input = Buffer.from(enlarged, 'base64');
  const read = execFileSync('tesseract', ['-', '-', '--psm', '6'], { input, stdio: ['pipe', 'pipe', 'ignore'] });
  const expected = linesOf(number).join(' ');
  const text = read.toString().split(/\s+/).filter(Boolean).join(' ');
  return Math.max(0, 1 - editDistance(expected, text) / expected.length);
}

/** Returns how many letters to insert, remove or replace make `one` into `other` (Levenshtein). */
export function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
