/** Stores each built file also compressed, so that the server need not compress. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Files that are worth compressing. */
const COMPRESSIBLE = /\.(js|css|svg|json|html|wasm|tflite)$/;
/** Shorter files fit into one packet anyway. */
const COMPRESSED_BYTES_MIN = 1_024;

/** Stores each file also as `NAME.br` and `NAME.gz`. */
export function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    writeBundle({ dir = 'dist' }) {
      for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (!entry.isFile() || !COMPRESSIBLE.test(entry.name)) continue;
        const contents = readFileSync(path);
        if (contents.length < COMPRESSED_BYTES_MIN) continue;
        writeFileSync(`${path}.br`, brotliCompressSync(contents));
        writeFileSync(`${path}.gz`, gzipSync(contents, { level: 9 }));
      }
    },
  };
}
