/** The test of the connection before a call: what it finds on connections that work in part or not at all. */
import { NO_MEDIA, ROOM, expect, test, type CallParticipant } from './callFixture';

/** Time for the whole test: the times that it waits at most, and some for a busy machine. */
const TEST_MS_MAX = 30_000;

/** A transport in the server's metrics. */
const OPEN_TRANSPORT = /^watersmeet_transports\{[^}]*\} [1-9]/m;

/** Runs the test in the lobby, and returns its dialog when it says this. */
async function expectAdvice({ page }: CallParticipant, advice: string) {
  await page.getByRole('button', { name: 'Test connection' }).click();
  const dialog = page.getByRole('dialog', { name: 'Connection test' });
  await expect(dialog.getByRole('status')).toContainText(advice, { timeout: TEST_MS_MAX });
  return dialog;
}

for (const browser of ['chromium', 'firefox'] as const) {
  test(`the test measures a connection over UDP in ${browser}, and leaves nothing at the server`, NO_MEDIA, async ({ call }) => {
    const server = await call.startServer();
    const ana = await call.open('ana', { room: ROOM, browser, options: { camera: '0' } });
    const advised = expectAdvice(ana, 'Your connection is good for calls.');
    await expect.poll(() => server.metrics(), { timeout: TEST_MS_MAX }).toMatch(OPEN_TRANSPORT);
    const dialog = await advised;
    await expect(dialog.getByText('Get through (UDP)')).toBeVisible();
    await expect(dialog.getByText(/^Answers after \d+ ms$/)).toBeVisible();
    await expect(dialog.getByText(/^\d+ ms$/)).toBeVisible();
    // Firefox sends no tone where the machine has no audio device.
    if (browser === 'chromium') await expect(dialog.getByText('0%', { exact: true })).toBeVisible();
    await expect.poll(() => server.metrics()).not.toMatch(OPEN_TRANSPORT);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await ana.join();
  });
}

test('a network that blocks UDP is told, with what to do', NO_MEDIA, async ({ call }) => {
  await call.startServer({ WATERSMEET_UDP: 'false' });
  const ana = await call.open('ana', { room: ROOM, options: { camera: '0' } });
  const dialog = await expectAdvice(ana, 'your network blocks UDP');
  await expect(dialog.getByText('Get through over TCP only')).toBeVisible();
  await expect(dialog.getByRole('status')).toContainText(/For the administrator: port \d+\./);
});

test('a network that blocks all media, and a server that is gone, are told', NO_MEDIA, async ({ call }) => {
  const { server, relay } = await call.startServerBehindRelay({});
  await relay.command('cut all');
  const ana = await call.open('ana', { room: ROOM, relayPort: relay.port, options: { camera: '0' } });
  const dialog = await expectAdvice(ana, 'Sound and video do not get through');
  await expect(dialog.getByText('Blocked', { exact: true })).toBeVisible();
  await server.kill();
  await dialog.getByRole('button', { name: 'Test again' }).click();
  await expect(dialog.getByRole('status')).toContainText('The server does not answer.', { timeout: TEST_MS_MAX });
});
