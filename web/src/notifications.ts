/** Texts of the notifications about roles and the room's policy. */
import type { Policy, Role } from './protocol';

export const POLICY_CHANGED_TEXT: Record<Policy, string> = {
  open: 'Anyone with the link can join now.',
  'invite-only': 'Only people with an invitation can join now.',
  approval: 'A host lets in each new person now.',
  locked: 'The room is locked now: nobody can join.',
};

export const ROLE_CHANGED_TEXT: Record<Role | 'retired', string> = {
  host: 'You are a host now. You find what you can do in the list of participants.',
  speaker: 'You can speak now: others hear and see what you switch on.',
  viewer: 'You are watching now: others do not hear or see you.',
  retired: 'You are no host any more.',
};

export const VIEWER_CANNOT_SEND_TEXT = 'You are watching: others do not hear or see you. Ask to speak first.';

export const CAMERA_PAUSED_TEXT = 'Your camera is paused while you have audio and shared screen only. Switch that off first.';
export const SAVE_DATA_OFFER_TEXT = 'Your connection has been slow for some time. Without cameras, more of it is left for sound.';
export const SAVE_DATA_OFFER_LABEL = 'Pause cameras';

export function serverClosingText(seconds: number): string {
  const when = seconds < 2 ? 'now' : `in ${seconds} seconds`;
  return `The server restarts ${when}. The call then continues by itself.`;
}
