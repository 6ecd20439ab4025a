/** What the page's address means, and what people paste. */
import { describe, expect, test } from 'vitest';
import { destination, isInvitation, readAddress, roomLink, socketUrl, withRoom } from './address';

const at = (path: string) => new URL(path, 'https://meet.example');

/** A token that says this much; nothing here looks at its signature. */
function tokenOf(claims: object): string {
  return `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;
}

test('a bare address names no room and asks for nothing unusual', () => {
  expect(readAddress(at('/'))).toEqual({
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

test('every option is read', () => {
  const options = readAddress(at('/?room=blue+bay&token=a.b.c&name=%20Ana%20%20Silva&autojoin=1&codec=VP9&width=640&camera=0&mic=0'));
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

test.each(['av1', 'vp10', ''])('an unknown codec (%s) is none', (codec) => {
  expect(readAddress(at(`/?codec=${codec}`)).codec).toBeNull();
});

test.each(['9', '99999', 'wide'])('a width nobody has (%s) falls back', (width) => {
  expect(readAddress(at(`/?width=${width}`)).width).toBe(1280);
});

test('a room may stand in the path', () => {
  expect(readAddress(at('/room/blue%20bay')).roomId).toBe('blue bay');
  expect(readAddress(at('/room/%zz')).roomId).toBe('%zz');
  expect(readAddress(at('/rooms/x')).roomId).toBe('');
});

test.each(['/join?room=bay&token=a.b.c', '/room/bay?inviteToken=a.b.c', '/call?room=bay&token=a.b.c'])(
  'an invitation is read from %s',
  (path) => {
    expect(readAddress(at(path))).toMatchObject({ roomId: 'bay', token: 'a.b.c' });
  },
);

test('a token longer than any the server reads is none', () => {
  expect(readAddress(at(`/?room=x&token=${'a'.repeat(5_000)}`)).token).toBe('');
});

describe('what is typed or pasted', () => {
  test.each([
    ['  quiet-delta  ', 'quiet-delta'],
    ['https://meet.example/?room=quiet-delta', 'quiet-delta'],
    ['http://other.example/room/quiet-delta', 'quiet-delta'],
    ['https://meet.example/', ''],
    ['', ''],
  ])('%s is the room %s', (typed, room) => {
    expect(destination(typed)).toEqual({ roomId: room, token: '' });
  });

  test('an endless name is cut', () => {
    expect(destination('x'.repeat(500)).roomId).toHaveLength(64);
  });

  test('an invitation keeps its token', () => {
    expect(destination(' https://meet.example/join?room=bay&token=a.b.c ')).toEqual({ roomId: 'bay', token: 'a.b.c' });
  });
});

test('a link leads back to its room, whatever it is called', () => {
  for (const roomId of ['quiet-delta', 'a&b=c', 'зал', '100%']) {
    expect(readAddress(new URL(roomLink(at('/?codec=vp9'), { roomId, token: '' }))).roomId).toBe(roomId);
  }
  expect(roomLink(at('/?codec=vp9&name=Ana'), { roomId: 'x', token: '' })).toBe('https://meet.example/?room=x');
});

describe('a token', () => {
  const invitation = tokenOf({ roomId: 'зал', iat: 1, exp: 2 });

  test('that invites to the room is passed on with its link', () => {
    const link = roomLink(at('/'), { roomId: 'зал', token: invitation });
    expect(new URL(link).pathname).toBe('/join');
    expect(readAddress(new URL(link))).toMatchObject({ roomId: 'зал', token: invitation });
  });

  test.each([
    ['of another room', { roomId: 'other', iat: 1, exp: 2 }],
    ['that makes a host', { roomId: 'зал', roomAdmin: true, exp: 2 }],
    ['of a room grant', { room: 'зал', roomAdmin: true, exp: 2 }],
    ['that names its bearer', { roomId: 'зал', userId: 'ana', email: 'ana@meet.example', exp: 2 }],
  ])('%s stays with its bearer', (_, claims) => {
    expect(isInvitation(tokenOf(claims), 'зал')).toBe(false);
    expect(roomLink(at('/'), { roomId: 'зал', token: tokenOf(claims) })).not.toContain('token');
  });

  test.each(['', 'a', 'a.b.c', '..', 'a.bnVsbA.c'])('that cannot be read (%s) stays too', (token) => {
    expect(isInvitation(token, 'зал')).toBe(false);
  });
});

test('going to a room keeps the other options, and leaves the last room\'s token behind', () => {
  const nowhere = { roomId: '', token: '' };
  expect(withRoom(at('/?codec=vp9'), { roomId: 'x', token: '' })).toBe('/?codec=vp9&room=x');
  expect(withRoom(at('/?codec=vp9'), { roomId: 'x', token: 'a.b.c' })).toBe('/?codec=vp9&room=x&token=a.b.c');
  expect(withRoom(at('/?codec=vp9&room=x&token=a.b.c'), nowhere)).toBe('/?codec=vp9');
  expect(withRoom(at('/room/old?inviteToken=a.b.c'), { roomId: 'new', token: '' })).toBe('/?room=new');
});

test('the socket follows the page', () => {
  expect(socketUrl(at('/?room=x'))).toBe('wss://meet.example/ws');
  expect(socketUrl(new URL('http://localhost:3000/'))).toBe('ws://localhost:3000/ws');
});
