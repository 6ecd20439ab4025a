import { expect, test } from 'vitest';
import { deviceErrorOf } from './capture';

test.each([
  // Chromium says so when the system refuses; other browsers do not, and have the permission of the page.
  ['NotAllowedError', 'Permission denied', false, 'denied'],
  ['NotAllowedError', 'Permission denied by system', false, 'system'],
  ['NotAllowedError', 'The request is not allowed by the user agent or the platform', true, 'system'],
  ['NotFoundError', 'Requested device not found', true, 'missing'],
  ['OverconstrainedError', '', true, 'missing'],
  ['NotReadableError', 'Could not start video source', true, 'busy'],
  ['AbortError', 'Starting videoinput failed', true, 'busy'],
  ['SecurityError', '', false, 'insecure'],
  ['InvalidStateError', '', false, 'failed'],
])('%s (%s) with the permission %s is told as %s', (name, message, isGranted, expected) => {
  expect(deviceErrorOf(new DOMException(message, name), isGranted)).toBe(expected);
});

test('an error of another kind is told as a failure', () => {
  expect(deviceErrorOf(new TypeError('system'), true)).toBe('failed');
});
