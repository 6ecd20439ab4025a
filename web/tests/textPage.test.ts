import { describe, expect, it } from 'vitest';
import { editDistance, linesOf } from './textPage';

describe('the edit distance', () => {
  it.each([
    ['', '', 0],
    ['page', '', 4],
    ['page', 'page', 0],
    ['kitten', 'sitting', 3],
    ['a page of text', 'a pago oftext', 2],
  ])('of %j and %j is %i', (one, other, distance) => {
    expect(editDistance(one, other)).toBe(distance);
  });
});

describe('pages of text', () => {
  it('have other lines each', () => {
    const [one, two] = [linesOf(1), linesOf(2)];
    expect(one).toHaveLength(33);
    expect(one.filter((line) => two.includes(line))).toEqual([]);
    expect(linesOf(1)).toEqual(one);
  });
});
