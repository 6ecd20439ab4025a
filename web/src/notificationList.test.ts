import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NotificationList } from './notificationList';

const named = (name: string) => ({ id: name, name });
let list: NotificationList;
const contents = () => list.notifications.value.map(({ content }) => content);

beforeEach(() => {
  vi.useFakeTimers();
  list = new NotificationList();
});

afterEach(() => {
  vi.useRealTimers();
});

test('people who join are told together, and stay for the time of the last one', () => {
  list.add({ code: 'joined', who: named('Ana') }, 'plain');
  vi.advanceTimersByTime(4_000);
  list.add({ code: 'joined', who: named('Ben') }, 'plain');
  list.add({ code: 'left', who: named('Dora') }, 'plain');
  list.add({ code: 'joined', who: named('Carla') }, 'plain');
  expect(contents()).toEqual([
    { code: 'joined', who: named('Ana'), others: 2 },
    { code: 'left', who: named('Dora') },
  ]);
  vi.advanceTimersByTime(4_900);
  expect(contents()).toHaveLength(2);
  vi.advanceTimersByTime(200);
  expect(contents()).toEqual([]);
});

test('the same message is shown once', () => {
  for (let i = 0; i < 5; i += 1) list.add({ code: 'viewerCannotSend' }, 'plain');
  list.add({ code: 'muted', device: 'camera' }, 'plain');
  list.add({ code: 'muted', device: 'microphone' }, 'plain');
  expect(contents()).toHaveLength(3);
});

test('only the newest three are shown', () => {
  const codes = ['cameraPaused', 'hostsAsked', 'viewerCannotSend', 'sharingStopped'] as const;
  for (const code of codes) list.add({ code }, 'plain');
  expect(contents()).toEqual(codes.slice(1).map((code) => ({ code })));
});
