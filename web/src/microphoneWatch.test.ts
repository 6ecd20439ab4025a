import { expect, test } from 'vitest';
import { SAMPLE_MS } from './microphoneMeter';
import { MicrophoneWatch, type MicrophoneProblem, type WatchedSample } from './microphoneWatch';

const SPEECH = { level: 0.6, hasSignal: true, on: false, cut: false };
const QUIET = { level: 0.05, hasSignal: true, on: false, cut: false };

/** Passes the same sample for a time, and returns the last judgement. */
function feed(watch: MicrophoneWatch, sample: WatchedSample, ms: number): MicrophoneProblem | null {
  let problem: MicrophoneProblem | null = null;
  for (let at = 0; at < ms; at += SAMPLE_MS) problem = watch.update(sample);
  return problem;
}

test('a microphone that never gives a signal is silent after two and a half seconds', () => {
  const watch = new MicrophoneWatch();
  const nothing = { level: 0, hasSignal: false, on: true, cut: false };
  expect(feed(watch, nothing, 2_400)).toBeNull();
  expect(feed(watch, nothing, 200)).toBe('silent');
  expect(feed(watch, { ...nothing, hasSignal: true }, 50)).toBeNull();
  expect(feed(watch, nothing, 60_000), 'silence after a signal may be that of a program that removes noise').toBeNull();
});

test('a microphone that the system cuts off is silent until it comes back', () => {
  const watch = new MicrophoneWatch();
  const heard = { ...QUIET, on: true };
  expect(feed(watch, heard, 1_000)).toBeNull();
  expect(feed(watch, { ...heard, cut: true }, 1_000)).toBeNull();
  expect(feed(watch, { ...heard, cut: true }, 1_100)).toBe('silent');
  expect(feed(watch, heard, 50)).toBeNull();
});

test('somebody who talks while muted is told, and some seconds later no more', () => {
  const watch = new MicrophoneWatch();
  expect(feed(watch, SPEECH, 900)).toBeNull();
  expect(feed(watch, SPEECH, 1_000)).toBe('talkingMuted');
  expect(feed(watch, QUIET, 3_000)).toBe('talkingMuted');
  expect(feed(watch, QUIET, 6_000)).toBeNull();
});

test('unmuting ends it at once', () => {
  const watch = new MicrophoneWatch();
  expect(feed(watch, SPEECH, 2_000)).toBe('talkingMuted');
  expect(feed(watch, { ...SPEECH, on: true }, 50)).toBeNull();
  expect(feed(watch, SPEECH, 500)).toBeNull();
});

test('short noises while muted are no speech', () => {
  const watch = new MicrophoneWatch();
  for (let i = 0; i < 20; i += 1) {
    expect(feed(watch, SPEECH, 200)).toBeNull();
    expect(feed(watch, QUIET, 300)).toBeNull();
  }
});
