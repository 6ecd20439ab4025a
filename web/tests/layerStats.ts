/** Heights of the pictures that a page decodes and sends, from its statistics: which layer of a video that is. */
import type { CallParticipant } from './callFixture';

/** Height of the pictures that a viewer decodes at present. */
export function decodedHeight(viewer: CallParticipant): Promise<number> {
  return viewer.page.evaluate(async () => {
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        // Padding of probes has a report of its own.
        if (report.type === 'inbound-rtp' && report.frameHeight) return Number(report.frameHeight);
      }
    }
    return 0;
  });
}

/** Counters of the encodings that a publisher sends, by their ids. */
type Encodings = Record<string, { height: number; sent: number }>;

function readEncodings(publisher: CallParticipant): Promise<Encodings> {
  return publisher.page.evaluate(async () => {
    const frames: Encodings = {};
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== 'outbound-rtp' || report.kind !== 'video') continue;
        frames[report.id] = { height: Number(report.frameHeight ?? 0), sent: Number(report.framesSent ?? 0) };
      }
    }
    return frames;
  });
}

/** Starts measuring; the returned function gives the heights of what a publisher has sent since its last call. */
export async function measureSentHeights(publisher: CallParticipant): Promise<() => Promise<number[]>> {
  let before = await readEncodings(publisher);
  return async () => {
    const after = await readEncodings(publisher);
    const moving = Object.entries(after).filter(([id, { sent }]) => sent > (before[id]?.sent ?? 0));
    before = after;
    return moving.map(([, { height }]) => height).sort((one, other) => one - other);
  };
}
