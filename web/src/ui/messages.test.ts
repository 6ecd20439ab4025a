import { describe, expect, test } from 'vitest';
import { labelOf, notificationText } from './messages';

describe('a notification', () => {
  const who = { id: 'peer_12ab', name: 'Ben' };

  test('names the person, or the end of the id of somebody without a name', () => {
    expect(notificationText({ code: 'joined', who })).toBe('Ben joined');
    expect(notificationText({ code: 'left', who: { ...who, name: '' } })).toBe('Guest 12ab left');
    expect(labelOf({ ...who, name: '' })).toBe('Guest 12ab');
  });

  test('says when the server restarts', () => {
    expect(notificationText({ code: 'serverClosing', seconds: 0 })).toMatch(/^The server restarts now\. /);
    expect(notificationText({ code: 'serverClosing', seconds: 20 })).toMatch(/^The server restarts in 20 seconds\. /);
  });

  test.each([
    ['forbidden', 'you may not do that'],
    ['worker-lost', 'the server said “Worker lost”'],
  ])('gives the reason %s as “%s”', (code, text) => {
    const reason = { code, message: 'Worker lost' };
    expect(notificationText({ code: 'actionFailed', reason })).toBe(`That could not be done (${text}).`);
  });
});
