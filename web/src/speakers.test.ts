/** Marks of speakers. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HOLD_MS, Speakers } from './speakers';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const marked = (speakers: Speakers) => [...speakers.marked.value].sort();

test('a speaker stays marked for a moment after the server names nobody', () => {
  const speakers = new Speakers();
  speakers.update('ana');
  speakers.update(undefined);
  expect([speakers.active.value, marked(speakers)]).toEqual([null, ['ana']]);
  vi.advanceTimersByTime(HOLD_MS);
  expect(marked(speakers)).toEqual([]);
});

test('after a lost connection the same speaker is marked, unless another one spoke last', () => {
  const speakers = new Speakers();
  speakers.update('ana');
  speakers.clear();
  expect(marked(speakers)).toEqual([]);
  speakers.restore();
  expect(marked(speakers)).toEqual(['ana']);
});

test('the mark of somebody who goes on speaking does not flicker', () => {
  const speakers = new Speakers();
  speakers.update('ana');
  for (let i = 0; i < 10; i += 1) {
    speakers.update(undefined);
    vi.advanceTimersByTime(HOLD_MS - 1);
    speakers.update('ana');
    expect(marked(speakers)).toEqual(['ana']);
    vi.advanceTimersByTime(HOLD_MS);
    expect(marked(speakers)).toEqual(['ana']);
  }
});

test('two who talk in turn are both marked, and nobody after a lost connection', () => {
  const speakers = new Speakers();
  speakers.update('ana');
  speakers.update('ben');
  expect(marked(speakers)).toEqual(['ana', 'ben']);
  speakers.clear();
  vi.advanceTimersByTime(HOLD_MS);
  expect([speakers.active.value, marked(speakers)]).toEqual([null, []]);
});
