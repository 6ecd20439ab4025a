/** Creating a room over the REST API, with a fake `fetch`. */
import { afterEach, expect, test, vi } from 'vitest';
import { CreateRoomError, createRoom } from './createRoom';

const room = { hostName: 'Ana', title: 'Weekly meeting', policy: 'approval' } as const;

const page = new URL('https://meet.example/?codec=vp9');

afterEach(() => vi.unstubAllGlobals());

function stubFetch(status: number, body: string): ReturnType<typeof vi.fn> {
  const fake = vi.fn(async () => new Response(body, { status }));
  vi.stubGlobal('fetch', fake);
  return fake;
}

const roomJson = '"roomId":"bay","inviteLink":"https://public.example/join?room=bay&token=a.b.c","hostName":"Ana"';

test('a created room is returned with its invitation', async () => {
  const fake = stubFetch(200, `{${roomJson},"hostToken":"h.o.t"}`);
  const created = await createRoom(page, { ...room, policy: 'invite-only' }, '');
  expect(created).toEqual({ destination: { roomId: 'bay', token: 'a.b.c' }, hostToken: 'h.o.t' });
  const [url, request] = fake.mock.calls[0] as [URL, RequestInit];
  expect(url.href).toBe('https://meet.example/api/rooms');
  expect(JSON.parse(String(request.body))).toEqual({ ...room, policy: 'invite-only', hostToken: true });
});

test('the bearer token is sent when there is one', async () => {
  const fake = stubFetch(200, `{${roomJson}}`);
  await createRoom(page, room, 'u.s.r');
  await createRoom(page, room, '');
  const authorization = fake.mock.calls.map(([, request]) => new Headers((request as RequestInit).headers).get('authorization'));
  expect(authorization).toEqual(['Bearer u.s.r', null]);
});

test('the host token is empty when the server returns none', async () => {
  stubFetch(200, `{${roomJson}}`);
  expect((await createRoom(page, room, '')).hostToken).toBe('');
});

test.each([
  [401, 'forbidden'],
  [403, 'forbidden'],
  [404, 'unavailable'],
  [405, 'unavailable'],
  [429, 'rate-limited'],
  [400, 'refused'],
  [500, 'refused'],
])('status %i is reported as %s', async (status, failure) => {
  stubFetch(status, '{"error":"no"}');
  await expect(createRoom(page, room, '')).rejects.toEqual(new CreateRoomError(failure as never));
});

test.each(['', '<!doctype html>', 'null', '{}', '{"inviteLink":7}', '{"inviteLink":"https://meet.example/join"}'])(
  'a reply that is no room (%s) is reported as unavailable',
  async (body) => {
    stubFetch(200, body);
    await expect(createRoom(page, room, '')).rejects.toMatchObject({ failure: 'unavailable' });
  },
);

test('a network error is reported as unreachable', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
  await expect(createRoom(page, room, '')).rejects.toMatchObject({ failure: 'unreachable' });
});
