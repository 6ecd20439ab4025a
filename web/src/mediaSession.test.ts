import { beforeEach, describe, expect, test } from 'vitest';
import { CallMediaSession } from './mediaSession';

let handlers: Map<string, MediaSessionActionHandler | null>;
let shown: string[];
let ran: string[];
const actions = {
  toggleMicrophone: () => void ran.push('microphone'),
  toggleCamera: () => void ran.push('camera'),
  leave: () => void ran.push('leave'),
};

/** A browser that has these actions. */
function fakeSession(known: string[]): MediaSession {
  return {
    setActionHandler: (action: string, handler: MediaSessionActionHandler | null) => {
      if (!known.includes(action)) throw new TypeError(`unknown action ${action}`);
      handlers.set(action, handler);
    },
    setMicrophoneActive: (on: boolean) => void shown.push(`microphone ${on}`),
    setCameraActive: (on: boolean) => Promise.reject(new Error(String(on))),
  } as unknown as MediaSession;
}

const run = (action: string) => handlers.get(action)?.({ action: action as MediaSessionAction });

beforeEach(() => {
  [handlers, shown, ran] = [new Map(), [], []];
});

describe('the media session', () => {
  test('runs the actions during a call only', () => {
    const session = new CallMediaSession(actions, fakeSession(['togglemicrophone', 'togglecamera', 'hangup']));
    session.setActive(true);
    run('togglemicrophone');
    run('togglecamera');
    run('hangup');
    expect(ran).toEqual(['microphone', 'camera', 'leave']);
    session.setActive(false);
    expect([...handlers.values()]).toEqual([null, null, null]);
  });

  test('tells which devices are on during a call', () => {
    const session = new CallMediaSession(actions, fakeSession([]));
    session.setDevices(true, false);
    expect(shown).toEqual([]);
    session.setActive(true);
    session.setDevices(false, false);
    expect(shown).toEqual(['microphone true', 'microphone false']);
  });

  test('offers what a browser has of the actions', () => {
    new CallMediaSession(actions, fakeSession(['hangup'])).setActive(true);
    expect([...handlers.keys()]).toEqual(['hangup']);
  });

  test('does nothing in browsers without media sessions', () => {
    new CallMediaSession(actions, null).setActive(true);
    expect(ran).toEqual([]);
  });
});
