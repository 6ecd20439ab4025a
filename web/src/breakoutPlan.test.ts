/** Plans of breakout rooms. */
import { expect, test } from 'vitest';
import { assignEvenly, assignPerson, keepRooms, peopleByRoom } from './breakoutPlan';

test('people are spread over rooms of about one size', () => {
  const plan = assignEvenly(['a', 'b', 'c', 'd', 'e'], 2);
  expect(peopleByRoom(plan, 2)).toEqual([['a', 'c', 'e'], ['b', 'd']]);
  expect(peopleByRoom(assignEvenly(['a'], 3), 3)).toEqual([['a'], [], []]);
});

test('one person is assigned by hand, also to no room', () => {
  const plan = assignPerson(assignEvenly(['a', 'b'], 2), 'a', 1);
  expect(peopleByRoom(plan, 2)).toEqual([[], ['a', 'b']]);
  expect(peopleByRoom(assignPerson(plan, 'b', null), 2)).toEqual([[], ['a']]);
});

test('people of a room that is taken away stay in the main room', () => {
  expect(peopleByRoom(keepRooms(assignEvenly(['a', 'b', 'c'], 3), 2), 2)).toEqual([['a'], ['b']]);
});
