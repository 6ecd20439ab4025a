/** Generates the secret by which the server recognises a participant that comes back. */

/** 128 bits cannot be guessed. */
const SECRET_BYTES = 16;

/** Returns a new secret in hexadecimal digits. */
export function generateSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
