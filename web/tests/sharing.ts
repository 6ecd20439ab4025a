/** What tests of shared screens and layouts look at: pictures as they are decoded, and what the page requests. */
import type { Page } from '@playwright/test';
import { expect, type CallParticipant } from './callFixture';
import { sleep } from './server';

/** A video as a page decodes it. */
export interface DecodedVideo {
  width: number;
  height: number;
  frames: number;
}

/** Returns the video behind the element with this label; nothing while there is none. */
export async function decodedVideo(page: Page, label: string): Promise<DecodedVideo> {
  const nothing = { width: 0, height: 0, frames: 0 };
  const element = page.getByLabel(label, { exact: true });
  if ((await element.count()) === 0) return nothing;
  return element.evaluate(async (media, none) => {
    const id = ((media as HTMLMediaElement).srcObject as MediaStream | null)?.getVideoTracks()[0]?.id;
    for (const connection of window.connections) {
      const receiver = connection.getReceivers().find(({ track }) => track.id === id);
      if (!receiver || id === undefined) continue;
      for (const report of (await receiver.getStats()).values()) {
        if (report.type !== 'inbound-rtp' || !report.frameWidth) continue;
        return { width: Number(report.frameWidth), height: Number(report.frameHeight), frames: Number(report.framesDecoded ?? 0) };
      }
    }
    return none;
  }, nothing);
}

/** Waits until a video with this label is decoded in this size, and goes on. */
export async function expectDecoded(viewer: CallParticipant, label: string, width: number, height: number): Promise<void> {
  const size = async () => {
    const video = await decodedVideo(viewer.page, label);
    return [video.width, video.height];
  };
  await expect.poll(size, { timeout: 20_000, message: `${viewer.name} decodes ${label}` }).toEqual([width, height]);
  const { frames } = await decodedVideo(viewer.page, label);
  await expect
    .poll(async () => (await decodedVideo(viewer.page, label)).frames, { message: `${label} goes on` })
    .toBeGreaterThan(frames + 3);
}

/** Replaces the screen that the browser shares by a page of moving text of this size, until the page is loaded again. */
export async function shareText(participant: CallParticipant, width: number, height: number): Promise<void> {
  await participant.page.evaluate(
    ([w, h]) => {
      navigator.mediaDevices.getDisplayMedia = async () => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [w, h];
        const context = canvas.getContext('2d');
        let line = 0;
        setInterval(() => {
          if (!context) return;
          line += 1;
          context.fillStyle = '#fff';
          context.fillRect(0, 0, w, h);
          context.fillStyle = '#123';
          context.font = '28px monospace';
          for (let row = 0; row < h / 40; row += 1) context.fillText(`line ${line + row} of a long document`, 40, 40 * (row + 1));
        }, 100);
        return canvas.captureStream(10);
      };
    },
    [width, height] as const,
  );
}

/** Loads the page again with a camera that is held upright, as that of a phone. */
export async function holdCameraUpright({ page }: CallParticipant): Promise<void> {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [360, 640];
      const context = canvas.getContext('2d');
      let hue = 0;
      setInterval(() => {
        if (!context) return;
        hue += 7;
        context.fillStyle = `hsl(${hue} 60% 60%)`;
        context.fillRect(0, 0, 360, 640);
      }, 40);
      return canvas.captureStream(25);
    };
  });
  await page.reload();
}

/** A frame that a page sent on its signalling connection. */
export interface SentFrame {
  type: string;
  payload: Record<string, unknown>;
}

/** Records the frames that a page sends from now on; reload it for a new connection. */
export function recordSent(page: Page): SentFrame[] {
  const frames: SentFrame[] = [];
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => void frames.push(JSON.parse(String(payload)) as SentFrame));
  });
  return frames;
}

/** Number of videos that a page receives at present, by the bytes that arrive within a moment. */
export async function videosArriving(page: Page): Promise<number> {
  const read = () =>
    page.evaluate(async () => {
      const packets: Record<string, number> = {};
      for (const connection of window.connections) {
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'video' && report.frameWidth) packets[report.id] = Number(report.framesReceived);
        }
      }
      return packets;
    });
  const before = await read();
  await sleep(1_000);
  return Object.entries(await read()).filter(([id, count]) => count > (before[id] ?? 0)).length;
}
