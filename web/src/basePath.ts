/**
 * The folder from which the page was loaded: `/`, or a path below which a reverse proxy serves it. The
 * script is in a folder of it (`assets`, in development `src`), so that nobody needs to configure it.
 */

const script: string = import.meta.url;

/** URL of the folder, with a slash at its end. */
export const BASE_URL = new URL('../', script);
