/** Parsing of the page's URL and of pasted links. */
import { describe, expect, test } from 'vitest';
import { parseDestination, isInvitation, parsePageUrl, roomLink, webSocketUrl, urlForRoom } from './pageUrl';

const at = (path: string) => new URL(path, 'https://meet.example');

/** A token with these claims; its signature is not checked here. */
function tokenOf(claims: object): string {
  return `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;
}

test('a URL without options gives the defaults', () => {
  expect(parsePageUrl(at('/'))).toEqual({
    roomId: '',
    token: '',
    name: '',
    autojoin: false,
    codec: null,
    width: 1280,
    camera: true,
    microphone: true,
  });
});

test('all options are parsed', () => {
  const options = parsePageUrl(at('/?room=blue+bay&token=a.b.c&name=%20Ana%20%20Silva&autojoin=1&codec=VP9&width=640&camera=0&mic=0'));
  expect(options).toEqual({
    roomId: 'blue bay',
    token: 'a.b.c',
    name: 'Ana Silva',
    autojoin: true,
    codec: 'vp9',
    width: 640,
    camera: false,
    microphone: false,
  });
});

test.each(['av1', 'vp10', ''])('an unknown codec (%s) is ignored', (codec) => {
  expect(parsePageUrl(at(`/?codec=${codec}`)).codec).toBeNull();
});

test.each(['9', '99999', 'wide'])('a width out of range (%s) gives the default', (width) => {
  expect(parsePageUrl(at(`/?width=${width}`)).width).toBe(1280);
});

test('the room can be part of the path', () => {
  expect(parsePageUrl(at('/room/blue%20bay')).roomId).toBe('blue bay');
  expect(parsePageUrl(at('/room/%zz')).roomId).toBe('%zz');
  expect(parsePageUrl(at('/rooms/x')).roomId).toBe('');
});

test.each(['/join?room=bay&token=a.b.c', '/room/bay?inviteToken=a.b.c', '/call?room=bay&token=a.b.c'])(
  'an invitation is parsed from %s',
  (path) => {
    expect(parsePageUrl(at(path))).toMatchObject({ roomId: 'bay', token: 'a.b.c' });
  },
);

test('a token longer than the server accepts is ignored', () => {
  expect(parsePageUrl(at(`/?room=x&token=${'a'.repeat(5_000)}`)).token).toBe('');
});

describe('parseDestination', () => {
  test.each([
    ['  quiet-delta  ', 'quiet-delta'],
    ['https://meet.example/?room=quiet-delta', 'quiet-delta'],
    ['http://other.example/room/quiet-delta', 'quiet-delta'],
    ['https://meet.example/', ''],
    ['', ''],
  ])('parses %s as the room %s', (typed, room) => {
    expect(parseDestination(typed)).toEqual({ roomId: room, token: '' });
  });

  test('truncates long names', () => {
    expect(parseDestination('x'.repeat(500)).roomId).toHaveLength(64);
  });

  test('keeps the token of an invitation', () => {
    expect(parseDestination(' https://meet.example/join?room=bay&token=a.b.c ')).toEqual({ roomId: 'bay', token: 'a.b.c' });
  });
});

test('room links can be parsed back, whatever the name', () => {
  for (const roomId of ['quiet-delta', 'a&b=c', 'зал', '100%']) {
    expect(parsePageUrl(new URL(roomLink(at('/'), { roomId, token: '' }))).roomId).toBe(roomId);
  }
  expect(roomLink(at('/'), { roomId: 'x', token: '' })).toBe('https://meet.example/?room=x');
});

describe('a token', () => {
  const invitation = tokenOf({ roomId: 'зал', iat: 1, exp: 2 });

  test('that is an invitation to the room is part of its link', () => {
    const link = roomLink(at('/'), { roomId: 'зал', token: invitation });
    expect(new URL(link).pathname).toBe('/join');
    expect(parsePageUrl(new URL(link))).toMatchObject({ roomId: 'зал', token: invitation });
  });

  test.each([
    ['of another room', { roomId: 'other', iat: 1, exp: 2 }],
    ['that makes a host', { roomId: 'зал', roomAdmin: true, exp: 2 }],
    ['of a room grant', { room: 'зал', roomAdmin: true, exp: 2 }],
    ['that identifies its bearer', { roomId: 'зал', userId: 'ana', email: 'ana@meet.example', exp: 2 }],
  ])('%s is not part of the link', (_, claims) => {
    expect(isInvitation(tokenOf(claims), 'зал')).toBe(false);
    expect(roomLink(at('/'), { roomId: 'зал', token: tokenOf(claims) })).not.toContain('token');
  });

  test.each(['', 'a', 'a.b.c', '..', 'a.bnVsbA.c'])('that cannot be decoded (%s) is no invitation', (token) => {
    expect(isInvitation(token, 'зал')).toBe(false);
  });
});

test('urlForRoom keeps the other options and drops the previous token', () => {
  const noRoom = { roomId: '', token: '' };
  expect(urlForRoom(at('/'), at('/?codec=vp9'), { roomId: 'x', token: '' })).toBe('/?codec=vp9&room=x');
  expect(urlForRoom(at('/'), at('/?codec=vp9'), { roomId: 'x', token: 'a.b.c' })).toBe('/?codec=vp9&room=x&token=a.b.c');
  expect(urlForRoom(at('/'), at('/?codec=vp9&room=x&token=a.b.c'), noRoom)).toBe('/?codec=vp9');
  expect(urlForRoom(at('/'), at('/room/old?inviteToken=a.b.c'), { roomId: 'new', token: '' })).toBe('/?room=new');
});

test('links and URLs stay below the path of a reverse proxy', () => {
  const base = at('/a/meet/');
  expect(roomLink(base, { roomId: 'x', token: '' })).toBe('https://meet.example/a/meet/?room=x');
  const invitation = tokenOf({ roomId: 'x', exp: 2 });
  expect(new URL(roomLink(base, { roomId: 'x', token: invitation })).pathname).toBe('/a/meet/join');
  expect(urlForRoom(base, at('/a/meet/room/old?codec=vp9'), { roomId: 'x', token: '' })).toBe('/a/meet/?codec=vp9&room=x');
  expect(webSocketUrl(base)).toBe('wss://meet.example/a/meet/ws');
  expect(parsePageUrl(at('/a/meet/room/blue%20bay')).roomId).toBe('blue bay');
});

test('the WebSocket URL follows the page', () => {
  expect(webSocketUrl(at('/'))).toBe('wss://meet.example/ws');
  expect(webSocketUrl(new URL('http://localhost:3000/'))).toBe('ws://localhost:3000/ws');
});
