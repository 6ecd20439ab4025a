/** The order of tiles. */
import { expect, test } from 'vitest';
import { TileOrder } from './tileOrder';

const people = (...keys: string[]) => keys.map((key) => ({ key, isScreen: false }));
const screen = (key: string) => ({ key, isScreen: true });

test('those who come are last, and nobody else moves when somebody leaves', () => {
  const order = new TileOrder();
  order.update(people('a', 'b', 'c'));
  expect(order.update(people('d', 'a', 'c'))).toEqual(['a', 'c', 'd']);
});

test('a new screen comes before all others', () => {
  const order = new TileOrder();
  order.update(people('a', 'b'));
  expect(order.update([...people('a', 'b', 'c'), screen('slides')])).toEqual(['slides', 'a', 'b', 'c']);
});

test('a speaker on a later page changes places with the one who spoke longest ago', () => {
  const order = new TileOrder();
  order.update(people('a', 'b', 'c', 'd', 'e'));
  for (const key of ['c', 'a', 'b', 'a']) order.recordSpeaker(key);
  order.bringForward('e', ['a', 'b', 'c']);
  expect(order.update(people('a', 'b', 'c', 'd', 'e'))).toEqual(['a', 'b', 'e', 'd', 'c']);
});

test('a speaker who is shown stays where it is', () => {
  const order = new TileOrder();
  order.update(people('a', 'b', 'c'));
  order.bringForward('b', ['a', 'b']);
  expect(order.update(people('a', 'b', 'c'))).toEqual(['a', 'b', 'c']);
});

test('only tiles that exist change places', () => {
  const order = new TileOrder();
  order.update(people('a', 'b'));
  order.swap('a', 'gone');
  expect(order.update(people('a', 'b'))).toEqual(['a', 'b']);
  order.swap('a', 'b');
  expect(order.update(people('a', 'b'))).toEqual(['b', 'a']);
});
