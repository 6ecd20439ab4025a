import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SpeechCaptions, type Recognition } from './speechCaptions';

class FakeRecognition implements Recognition {
  static all: FakeRecognition[] = [];
  lang = '';
  continuous = false;
  interimResults = false;
  onresult: Recognition['onresult'] = null;
  onerror: Recognition['onerror'] = null;
  onend: Recognition['onend'] = null;
  started = false;

  constructor() {
    FakeRecognition.all.push(this);
  }

  start(): void {
    this.started = true;
  }

  abort(): void {
    this.started = false;
    this.onend?.();
  }

  say(transcript: string, isFinal: boolean): void {
    this.onresult?.({ resultIndex: 0, results: [Object.assign([{ transcript }], { isFinal })] });
  }
}

const send = vi.fn();

function listening(): FakeRecognition[] {
  return FakeRecognition.all.filter(({ started }) => started);
}

function latest(): FakeRecognition {
  return FakeRecognition.all.at(-1) as FakeRecognition;
}

function create(): SpeechCaptions {
  const speech = new SpeechCaptions(FakeRecognition, 'de-DE', send);
  speech.setMicrophoneLive(true);
  return speech;
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeRecognition.all = [];
  send.mockClear();
});
afterEach(() => vi.useRealTimers());

test('nothing listens before the person agrees, and while the microphone is off', () => {
  const speech = create();
  expect(listening()).toHaveLength(0);
  speech.start();
  expect(listening()).toHaveLength(1);
  expect(latest().lang).toBe('de-DE');
  speech.setMicrophoneLive(false);
  expect(listening()).toHaveLength(0);
  speech.setMicrophoneLive(true);
  expect(listening()).toHaveLength(1);
  speech.stop();
  vi.advanceTimersByTime(1_000);
  expect(listening()).toHaveLength(0);
});

test('words that may change are sent at most some times a second, final ones always', () => {
  create().start();
  vi.advanceTimersByTime(1_000);
  for (const text of ['good', 'good mor', 'good morn']) latest().say(text, false);
  latest().say(' good morning ', true);
  latest().say(' ', true);
  expect(send.mock.calls).toEqual([['good', false], ['good morning', true]]);
});

test('recognition that the browser ends is started again', () => {
  create().start();
  const first = latest();
  first.onerror?.({ error: 'no-speech' });
  first.started = false;
  first.onend?.();
  vi.advanceTimersByTime(1_000);
  expect(listening()).toEqual([latest()]);
  expect(latest()).not.toBe(first);
});

test('recognition that is not allowed or fails is not started again', () => {
  for (const [error, problem] of [['not-allowed', 'denied'], ['network', 'failed']] as const) {
    const speech = create();
    speech.start();
    latest().onerror?.({ error });
    vi.advanceTimersByTime(1_000);
    expect(speech.problem.value).toBe(problem);
    expect(speech.on.value).toBe(false);
    expect(listening()).toHaveLength(0);
  }
});
