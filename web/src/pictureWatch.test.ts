/** Pictures that stand still. */
import { expect, test } from 'vitest';
import { frozenSeconds, updatePicture, type Picture } from './pictureWatch';

/** Reads these numbers of frames, one each second from 0 s, and returns for how long the picture has stood still then. */
function read(...frames: number[]): number[] {
  let picture: Picture | null = null;
  return frames.map((count, second) => {
    picture = updatePicture(picture, count, second * 1_000);
    return frozenSeconds(picture, second * 1_000);
  });
}

test('a picture that stands still is marked after two seconds, until it moves', () => {
  expect(read(1, 20, 40, 40, 40, 40, 41, 41)).toEqual([0, 0, 0, 0, 2, 3, 0, 0]);
});

test('a picture that has not come yet does not stand still', () => {
  expect(read(0, 0, 0, 0, 0)).toEqual([0, 0, 0, 0, 0]);
});
