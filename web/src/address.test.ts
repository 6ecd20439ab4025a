/** What the page's address means, and what people paste. */
import { describe, expect, test } from 'vitest';
import { readAddress, roomFromText, roomLink, socketUrl, withRoom } from './address';

const at = (path: string) => new URL(path, 'https://meet.example');

test('a bare address names no room and asks for nothing unusual', () => {
  expect(readAddress(at('/'))).toEqual({
    roomId: '',
    name: '',
    autojoin: false,
    codec: null,
    width: 1280,
    camera: true,
    microphone: true,
  });
});

test('every option is read', () => {
  const options = readAddress(at('/?room=blue+bay&name=%20Ana%20%20Silva&autojoin=1&codec=VP9&width=640&camera=0&mic=0'));
  expect(options).toEqual({
    roomId: 'blue bay',
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

describe('what is typed or pasted', () => {
  test.each([
    ['  quiet-delta  ', 'quiet-delta'],
    ['https://meet.example/?room=quiet-delta', 'quiet-delta'],
    ['http://other.example/room/quiet-delta', 'quiet-delta'],
    ['https://meet.example/', ''],
    ['', ''],
  ])('%s is the room %s', (typed, room) => {
    expect(roomFromText(typed)).toBe(room);
  });

  test('an endless name is cut', () => {
    expect(roomFromText('x'.repeat(500))).toHaveLength(64);
  });
});

test('a link leads back to its room, whatever it is called', () => {
  for (const room of ['quiet-delta', 'a&b=c', 'зал', '100%']) {
    expect(readAddress(new URL(roomLink(at('/?codec=vp9'), room))).roomId).toBe(room);
  }
  expect(roomLink(at('/?codec=vp9&name=Ana'), 'x')).toBe('https://meet.example/?room=x');
});

test('going to a room keeps the other options', () => {
  expect(withRoom(at('/?codec=vp9'), 'x')).toBe('/?codec=vp9&room=x');
  expect(withRoom(at('/?codec=vp9&room=x'), '')).toBe('/?codec=vp9');
  expect(withRoom(at('/room/old'), 'new')).toBe('/?room=new');
});

test('the socket follows the page', () => {
  expect(socketUrl(at('/?room=x'))).toBe('wss://meet.example/ws');
  expect(socketUrl(new URL('http://localhost:3000/'))).toBe('ws://localhost:3000/ws');
});
