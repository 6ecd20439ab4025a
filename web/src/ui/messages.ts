/** Error messages and labels: what happened, and what to do. */
import type { CreateRoomFailure } from '../createRoom';
import type { DeviceError } from '../capture';
import type { Cause, OwnCause } from '../connectionQuality';
import type { HeldBackReason } from '../participant';
import type { Policy, Role } from '../protocol';
import type { JoinFailure } from '../room';

type DeviceSubject = 'camera' | 'microphone' | 'both';

const NOUN: Record<DeviceSubject, string> = {
  camera: 'camera',
  microphone: 'microphone',
  both: 'camera and microphone',
};

export function deviceErrorText(subject: DeviceSubject, error: DeviceError): string {
  const noun = NOUN[subject];
  switch (error) {
    case 'denied':
      return `This page may not use your ${noun}. Allow it beside the page's address and switch it on again, or join without.`;
    case 'missing':
      return `No ${subject === 'both' ? 'camera or microphone' : noun} was found. Plug one in, or join without.`;
    case 'busy':
      return `Your ${noun} cannot be opened; another program may be using it. Close that and switch it on again.`;
    case 'insecure':
      return `Browsers open the ${noun} only on a secure page. Use an https:// address, or localhost on this computer.`;
    case 'failed':
      return `Your ${noun} could not be started. You can join without, and try again in the call.`;
  }
}

/** Why the media of a participant suffers. */
export function causeText(cause: Cause, label: string): string {
  switch (cause) {
    case 'own':
      return OWN_CAUSE_TEXT.connection;
    case 'theirs':
      return `${label}’s connection is slow`;
    case 'either':
      return `The connection between you and ${label} is slow`;
  }
}

/** Why the server sends nothing of a picture, and when it does again. */
export const HELD_BACK_TEXT: Record<HeldBackReason, { reason: string; outlook: string }> = {
  bandwidth: { reason: 'Your connection is too slow for this picture.', outlook: 'It comes back by itself.' },
  lastN: { reason: 'This meeting shows only some cameras at a time.', outlook: 'This one is shown when its owner speaks.' },
};

export const OWN_CAUSE_TEXT: Record<OwnCause, string> = {
  connection: 'Your connection is slow',
  device: 'Your device is busy: others see you less clearly',
};

/** `invited` tells whether the person has a token. */
export function joinFailureText({ reason, message, code }: JoinFailure, invited: boolean): string {
  switch (reason) {
    case 'unreachable':
      return 'The server cannot be reached. Check your connection and try again.';
    case 'unsupported':
      return 'This browser cannot make video calls. Try a current Chrome, Edge, Firefox or Safari.';
    case 'refused':
      return refusalText(code, message, invited);
  }
}

function refusalText(code: string, message: string, invited: boolean): string {
  switch (code) {
    case 'invalid-token':
      return invited
        ? 'Your invitation does not open this room: it has run out, or it is for another room. Ask for a new link.'
        : 'This room is only for people with an invitation. Open the link that you were sent, or ask for one.';
    case 'forbidden':
      return 'You may not come into this room. Ask the people who made it.';
    case 'banned':
      return 'A host of this meeting keeps you out. Ask them if you think that is a mistake.';
    case 'room-locked':
      return 'This room is locked: nobody can join now. Ask somebody inside to open it, or try again later.';
    case 'room-not-found':
      return 'There is no such room. Check the link, or ask for a new one.';
    case 'limit-reached':
      return /participant/i.test(message)
        ? 'This room is full. Try again when somebody has left.'
        : 'The server has no place for this meeting now. Try again in a few minutes.';
    case 'rate-limited':
      return 'You have tried too often in a short time. Wait a minute and try again.';
    default:
      return `The server did not let you in: ${message}`;
  }
}

export function createRoomErrorText(error: CreateRoomFailure): string {
  switch (error) {
    case 'unreachable':
      return 'The server cannot be reached. Check your connection and try again.';
    case 'unavailable':
      return 'This server makes no invitations. Choose “Anyone with the link” instead.';
    case 'forbidden':
      return 'This server does not let everybody make such rooms. Choose “Anyone with the link” instead.';
    case 'rate-limited':
      return 'Too many rooms were made in a short time. Wait a minute and try again.';
    case 'refused':
      return 'The server could not make the room. Try again.';
  }
}

/** Labels of the access policies. */
export const POLICY_LABEL: Record<Policy, string> = {
  open: 'Anyone with the link',
  'invite-only': 'Invited people only',
  approval: 'People whom I let in',
  locked: 'Nobody: the room is locked',
};

export const ROLE_LABEL: Record<Role, string> = { host: 'Host', speaker: '', viewer: 'Viewer' };
