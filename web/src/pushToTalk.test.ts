import { beforeEach, describe, expect, test } from 'vitest';
import { PushToTalk } from './pushToTalk';

let isOn: boolean;
let mayTurnOn: boolean;
let pushToTalk: PushToTalk;

beforeEach(() => {
  [isOn, mayTurnOn] = [false, true];
  pushToTalk = new PushToTalk({ isLive: () => isOn, toggle: () => (isOn = !isOn && mayTurnOn) });
});

describe('push-to-talk', () => {
  test('unmutes for as long as the key is held', () => {
    pushToTalk.press();
    expect(isOn).toBe(true);
    pushToTalk.release();
    expect(isOn).toBe(false);
  });

  test('leaves a microphone on that was on before', () => {
    isOn = true;
    pushToTalk.press();
    pushToTalk.release();
    expect(isOn).toBe(true);
  });

  test('does not unmute somebody whom a host has muted meanwhile', () => {
    pushToTalk.press();
    isOn = false;
    pushToTalk.release();
    expect(isOn).toBe(false);
  });

  test('does not mute on release what it could not unmute', () => {
    mayTurnOn = false;
    pushToTalk.press();
    isOn = true;
    pushToTalk.release();
    expect(isOn).toBe(true);
  });
});
