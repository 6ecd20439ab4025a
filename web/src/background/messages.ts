/** Kinds of backgrounds, and the messages between the page and the worker that puts it behind the person. */

/** Backgrounds that are drawn by code. */
export const SCENES = ['dusk', 'meadow', 'paper'] as const;
export type Scene = (typeof SCENES)[number];

/** Background of the camera; `picture` is the person's own. */
export const BACKGROUNDS = ['none', 'blur', ...SCENES, 'picture'] as const;
export type Background = (typeof BACKGROUNDS)[number];

/** Background as the worker draws it. */
export type Backdrop = 'blur' | Scene | ImageBitmap;

export type WorkerRequest =
  | { type: 'setBackdrop'; backdrop: Backdrop }
  /** Replaces the background of all pictures of a camera, where browsers can hand its frames to a worker. */
  | { type: 'processStream'; frames: ReadableStream<VideoFrame>; processed: WritableStream<VideoFrame> }
  /** Replaces the background of one picture. */
  | { type: 'processPicture'; picture: ImageBitmap };

export type WorkerReply =
  | { type: 'failed' }
  /** A picture took this long. */
  | { type: 'processed'; durationMs: number; picture?: ImageBitmap };
