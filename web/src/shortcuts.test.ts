import { describe, expect, test } from 'vitest';
import { SHORTCUTS, actionOf, keyOf, withKey } from './shortcuts';

const NO_MODIFIERS = { ctrlKey: false, metaKey: false, altKey: false };

describe('a key', () => {
  test.each([
    ['m', 'KeyM', 'microphone'],
    ['M', 'KeyM', 'microphone'],
    [' ', 'Space', 'talk'],
    ['?', 'Slash', 'sheet'],
    ['x', 'KeyX', null],
    ['Enter', 'Enter', null],
  ])('%j has the action %s', (key, code, action) => {
    expect(actionOf({ key, code, ...NO_MODIFIERS })).toBe(action);
  });

  test('counts by its place on layouts without Latin letters only', () => {
    expect(actionOf({ key: 'ة', code: 'KeyM', ...NO_MODIFIERS })).toBe('microphone');
    // On a Dvorak layout this place has another letter.
    expect(actionOf({ key: 'x', code: 'KeyM', ...NO_MODIFIERS })).toBeNull();
  });

  test.each(['ctrlKey', 'metaKey', 'altKey'])('is left to the browser with %s', (modifier) => {
    expect(actionOf({ key: 'm', code: 'KeyM', ...NO_MODIFIERS, [modifier]: true })).toBeNull();
  });
});

test('each shortcut has a key of its own', () => {
  expect(new Set(SHORTCUTS.map(({ key }) => key)).size).toBe(SHORTCUTS.length);
});

test('the label of a button names its key', () => {
  expect(keyOf('chat')).toBe('c');
  expect(withKey('Chat', 'chat')).toBe('Chat (C)');
});
