/** The person's own picture as a background: read from a file and kept as text. It never leaves the browser. */

/** Largest width and height to keep: those of a camera. */
const WIDTH_MAX = 1_280;
const HEIGHT_MAX = 720;
/** Quality of the JPEG file that is kept, 0 to 1: a photograph takes about 150 kB. */
const QUALITY = 0.8;

/** Returns the picture of a file as a base64 text of a JPEG file. Throws when the file is no picture. */
export async function readPicture(file: Blob): Promise<string> {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, Math.max(WIDTH_MAX / picture.width, HEIGHT_MAX / picture.height));
  const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const jpeg = await canvas.convertToBlob({ type: 'image/jpeg', quality: QUALITY });
  const bytes = new Uint8Array(await jpeg.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** Returns the picture of a text from `readPicture`. */
export function decodePicture(text: string): Promise<ImageBitmap> {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
}
