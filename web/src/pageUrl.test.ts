/** Parsing of the page's URL and of pasted links. */
import { describe, expect, test } from 'vitest';
import {
  cleanText,
  cutText,
  isInvitation,
  isKnownPath,
  lengthOf,
  parsePageUrl,
  parseTyped,
  titleOf,
  roomLink,
  urlForRoom,
  webSocketUrl,
} from './pageUrl';

const at = (path: string) => new URL(path, 'https://meet.example');

/** A token with these claims; its signature is not checked here. */
function tokenOf(claims: object): string {
  return `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;
}

test('a URL without options is ignoreds', () => {
  expect(parsePageUrl(at('/'))).toEqual({
    roomId: '',
    token: '',
    name: '',
    autojoin: false,
    codec: null,
    width: null,
    camera: true,
    microphone: true,
    language: '',
    embedder: '',
  });
});

test('all options are parsed', () => {
  const options = parsePageUrl(at('/?room=blue+bay&token=a.b.c&name=%20Ana%20%20Silva&autojoin=1&codec=VP9&width=640&camera=0&mic=0&lang=de&embed=https://App.example.org:443/x'));
  expect(options).toEqual({
    roomId: 'blue bay',
    token: 'a.b.c',
    name: 'Ana Silva',
    autojoin: true,
    codec: 'vp9',
    width: 640,
    camera: false,
    microphone: false,
    language: 'de',
    embedder: 'https://app.example.org',
  });
});

test.each(['app.example.org', 'null', '*', 'https://', 'capacitor://localhost'])('%s is no origin of an embedding page', (origin) => {
  expect(parsePageUrl(at(`/?embed=${origin}`)).embedder).toBe('');
});

test.each(['av1', 'vp10', ''])('an unknown codec (%s) is ignored', (codec) => {
  expect(parsePageUrl(at(`/?codec=${codec}`)).codec).toBeNull();
});

test.each(['9', '99999', 'wide'])('a width out of range (%s) is ignored', (width) => {
  expect(parsePageUrl(at(`/?width=${width}`)).width).toBeNull();
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

describe('what a person types', () => {
  const base = new URL('https://meet.example/');
  const parse = (typed: string) => parseTyped(base, typed);

  test.each([
    ['  quiet-delta  ', 'quiet-delta'],
    ['https://meet.example/?room=quiet-delta', 'quiet-delta'],
    ['http://meet.example/room/quiet-delta', 'quiet-delta'],
    ['meet.example/room/quiet-delta', 'quiet-delta'],
    ['MEET.example/?room=quiet-delta', 'quiet-delta'],
    ['/room/quiet-delta', 'quiet-delta'],
    ['room/quiet-delta', 'quiet-delta'],
    ['?room=quiet-delta', 'quiet-delta'],
    ['join?room=quiet-delta', 'quiet-delta'],
    ['tea.time', 'tea.time'],
    ['tea?', 'tea?'],
    ['☕'.repeat(64), '☕'.repeat(64)],
  ])('%s leads to the room %s', (typed, roomId) => {
    expect(parse(typed)).toEqual({ roomId, token: '' });
  });

  test('as a name leads to one room, in capitals or not', () => {
    expect(parse('Tea Party')).toEqual({ roomId: 'tea party', token: '' });
    expect(parse('tea  party')).toEqual({ roomId: 'tea party', token: '' });
    expect(parse('Cafe\u0301')).toEqual(parse('café'));
  });

  test('as a link names a room exactly', () => {
    expect(parse('https://meet.example/?room=Tea+Party')).toEqual({ roomId: 'Tea Party', token: '' });
  });

  test.each([
    ['', { code: 'nothingTyped' }],
    ['https://meet.example/', { code: 'noRoomInLink' }],
    ['meet.example', { code: 'noRoomInLink' }],
    ['https://other.example/room/tea', { code: 'otherServer', host: 'other.example' }],
    ['other.example/room/tea', { code: 'otherServer', host: 'other.example' }],
    ['localhost:3000/?room=tea', { code: 'otherServer', host: 'localhost:3000' }],
    ['https://meet.example:8443/room/tea', { code: 'otherServer', host: 'meet.example:8443' }],
    ['tea/time', { code: 'slashInName' }],
    ['ftp://meet.example/room/tea', { code: 'slashInName' }],
    ['https://', { code: 'slashInName' }],
    ['x'.repeat(65), { code: 'tooLong' }],
    [`https://meet.example/room/${'x'.repeat(65)}`, { code: 'noRoomInLink' }],
  ])('%s is refused', (typed, problem) => {
    expect(parse(typed)).toEqual(problem);
  });

  test('keeps the token of an invitation', () => {
    expect(parse(' https://meet.example/join?room=bay&token=a.b.c ')).toEqual({ roomId: 'bay', token: 'a.b.c' });
  });
});

describe('a name', () => {
  test('has no halves of characters, and nothing that turns the text beside it', () => {
    expect(cleanText(`Ana\ud83d`)).toBe('Ana');
    expect(cleanText('\u202ean\u0000a\u2069  b\u200b')).toBe('ana b');
    expect(cleanText('👩\u200d💻')).toBe('👩\u200d💻');
  });

  test('is cut between characters', () => {
    expect(lengthOf('😀a')).toBe(2);
    expect(cutText(`${'x'.repeat(63)}😀😀`, 64)).toBe(`${'x'.repeat(63)}😀`);
  });
});

test.each([
  ['/', true],
  ['/index.html', true],
  ['/join?room=x', true],
  ['/room/a%20b', true],
  ['/rooms', false],
  ['/about/us', false],
])('%s is an address of the page: %s', (path, isKnown) => {
  expect(isKnownPath(at('/'), at(path))).toBe(isKnown);
  expect(isKnownPath(at('/meet/'), at(`/meet${path}`))).toBe(isKnown);
});

test('the folder of the page is its address with and without its last slash', () => {
  expect(isKnownPath(at('/meet/'), at('/meet?room=x'))).toBe(true);
  expect(isKnownPath(at('/meet/'), at('/meeting'))).toBe(false);
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

  test('that is an invitation can have the name of the meeting', () => {
    const titled = tokenOf({ roomId: 'зал', title: 'Weekly \u202emeeting', exp: 2 });
    expect(isInvitation(titled, 'зал')).toBe(true);
    expect(titleOf({ roomId: 'зал', token: titled })).toBe('Weekly meeting');
    expect(titleOf({ roomId: 'other', token: titled })).toBe('');
    expect(titleOf({ roomId: 'зал', token: invitation })).toBe('');
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
