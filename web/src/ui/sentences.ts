/** What the page says when something is wrong: what happened, and what to do. */
import type { Trouble } from '../capture';
import type { Failure } from '../room';

type Subject = 'camera' | 'microphone' | 'both';

const NOUN: Record<Subject, string> = {
  camera: 'camera',
  microphone: 'microphone',
  both: 'camera and microphone',
};

export function troubleText(subject: Subject, trouble: Trouble): string {
  const noun = NOUN[subject];
  switch (trouble) {
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

export function failureText({ reason, message }: Failure): string {
  switch (reason) {
    case 'unreachable':
      return 'The server cannot be reached. Check your connection and try again.';
    case 'unsupported':
      return 'This browser cannot make video calls. Try a current Chrome, Edge, Firefox or Safari.';
    case 'refused':
      return `The server did not let you in: ${message}`;
  }
}
