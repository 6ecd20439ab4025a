/**
 * Video codecs that this page can be told to send. Pure.
 */
const VIDEO_CODECS = ['vp8', 'vp9', 'h264', 'av1'] as const;

export type VideoCodec = (typeof VIDEO_CODECS)[number];

/**
 * Returns the codec with this name or MIME type, in any case; null for others. AV1 is the server's choice only:
 * many devices cannot encode it in time.
 */
export function parseVideoCodec(name: string | null | undefined): VideoCodec | null {
  const lower = name?.toLowerCase().replace('video/', '');
  return VIDEO_CODECS.find((codec) => codec === lower) ?? null;
}
