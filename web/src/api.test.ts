/** Making a room over HTTP, with a fake `fetch` behind it. */
import { afterEach, expect, test, vi } from 'vitest';
import { CreationRefused, createRoom } from './api';

const page = new URL('https://meet.example/?codec=vp9');

afterEach(() => vi.unstubAllGlobals());

function answer(status: number, body: string): ReturnType<typeof vi.fn> {
  const fake = vi.fn(async () => new Response(body, { status }));
  vi.stubGlobal('fetch', fake);
  return fake;
}

const invited = '"roomId":"bay","inviteLink":"https://public.example/join?room=bay&token=a.b.c","hostName":"Ana"';

test('the invitation leads to the new room', async () => {
  const fake = answer(200, `{${invited},"hostToken":"h.o.t"}`);
  const made = await createRoom(page, 'Ana', 'invite-only', '');
  expect(made).toEqual({ destination: { roomId: 'bay', token: 'a.b.c' }, hostToken: 'h.o.t' });
  const [url, request] = fake.mock.calls[0] as [URL, RequestInit];
  expect(url.href).toBe('https://meet.example/api/rooms');
  expect(JSON.parse(String(request.body))).toEqual({ hostName: 'Ana', policy: 'invite-only', hostToken: true });
});

test('who asks is said where it is known', async () => {
  const fake = answer(200, `{${invited}}`);
  await createRoom(page, 'Ana', 'approval', 'u.s.r');
  await createRoom(page, 'Ana', 'approval', '');
  const asked = fake.mock.calls.map(([, request]) => new Headers((request as RequestInit).headers).get('authorization'));
  expect(asked).toEqual(['Bearer u.s.r', null]);
});

test('a server that names no host leaves it to who comes first', async () => {
  answer(200, `{${invited}}`);
  expect((await createRoom(page, 'Ana', 'approval', '')).hostToken).toBe('');
});

test.each([
  [401, 'forbidden'],
  [403, 'forbidden'],
  [404, 'unavailable'],
  [405, 'unavailable'],
  [429, 'often'],
  [400, 'refused'],
  [500, 'refused'],
])('an answer of %i is %s', async (status, trouble) => {
  answer(status, '{"error":"no"}');
  await expect(createRoom(page, 'Ana', 'approval', '')).rejects.toEqual(new CreationRefused(trouble as never));
});

test.each(['', '<!doctype html>', 'null', '{}', '{"inviteLink":7}', '{"inviteLink":"https://meet.example/join"}'])(
  'something else at that path (%s) makes no room',
  async (body) => {
    answer(200, body);
    await expect(createRoom(page, 'Ana', 'approval', '')).rejects.toMatchObject({ trouble: 'unavailable' });
  },
);

test('a server that is gone is told apart', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
  await expect(createRoom(page, 'Ana', 'approval', '')).rejects.toMatchObject({ trouble: 'unreachable' });
});
