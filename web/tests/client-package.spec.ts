/** The npm package as others get it: packed, installed in a new project, checked by strict types, and in a call. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { NIGHTLY, ROOM, SMALL_CAMERA, expect, test } from './callFixture';
import { OtherSite, readSite } from './otherSite';

const CLIENT = fileURLToPath(new URL('../client', import.meta.url));
const TSC = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url));
/** Packing builds, and installing may load from a registry. */
const TEST_MS_MAX = 240_000;

/** Returns the code blocks of the package's README: the example, and one that has a `call`. */
function examplesOfReadme(): [example: string, screen: string] {
  const text = readFileSync(join(CLIENT, 'README.md'), 'utf8');
  const [example, screen, ...others] = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code);
  if (!example || !screen || others.length > 0) throw new Error('the README has other examples');
  const signature = 'export async function shareScreen(call: Call): Promise<void>';
  return [example, `import type { Call } from 'watersmeet-client';\n${signature} {\n${screen}}\n`];
}

/** Packs the package and installs it in a new project with the examples of its README. */
function createProject(folder: string): void {
  const run = (command: string, args: string[], cwd: string) => execFileSync(command, args, { cwd, stdio: 'pipe' });
  run('npm', ['pack', '--silent', '--pack-destination', folder], CLIENT);
  const [archive = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'example', private: true, type: 'module' }));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${archive}`], folder);
  const [example, screen] = examplesOfReadme();
  writeFileSync(join(folder, 'main.ts'), example);
  writeFileSync(join(folder, 'screen.ts'), screen);
  const strict = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022,dom', 'main.ts', 'screen.ts'];
  run(TSC, ['--module', 'nodenext', ...strict], folder);
  run(TSC, ['--module', 'esnext', '--moduleResolution', 'bundler', ...strict], folder);
}

test('the packed package is installed, passes strict types, and its example is in a call', NIGHTLY, async ({ call }) => {
  test.setTimeout(TEST_MS_MAX);
  const folder = mkdtempSync(join(tmpdir(), 'watersmeet-client-'));
  const files = new Map<string, string | Buffer>();
  const site = await OtherSite.start(files);
  try {
    createProject(folder);
    const server = await call.startServer({ CORS_ORIGIN: site.origin });
    const data = `data-server="${server.url}" data-room="${ROOM}" data-name="ben"`;
    writeFileSync(
      join(folder, 'index.html'),
      `<!doctype html><title>Example</title><body ${data}><script type="module" src="/main.ts"></script></body>`,
    );
    await build({ configFile: false, root: folder, logLevel: 'error' });
    for (const [path, contents] of readSite(join(folder, 'dist'))) files.set(path, contents);

    const ana = await call.join('ana', SMALL_CAMERA);
    const ben = await call.open('ben');
    await ben.page.goto(site.origin);
    await ana.expectMovingVideo("ben's camera");
    await ana.expectAudioFrom(ben);
    await ben.expectMovingVideo('ana');
    await ben.closeWindow();
    await expect(ana.tileOf(ben)).toHaveCount(0);
  } finally {
    site.stop();
    rmSync(folder, { recursive: true });
  }
});
