/** What notifications tell the person, as codes and values. The page has the sentences (`ui/messages.ts`). */
import type { BackgroundProblem } from './cameraBackground';
import type { Device } from './capture';
import type { ChatPolicy, MediaSource, NamedPeer, Policy, Role, Sharing } from './protocol';
import type { ScreenError } from './screenCapture';

/** Somebody as others see them; the page has a label for those without a name. */
export interface Named {
  id: string;
  /** Empty where the person gave none. */
  name: string;
}

/** Returns somebody whom a frame names. */
export function named({ peerId, displayName = '' }: NamedPeer): Named {
  return { id: peerId, name: displayName };
}

/** Why a request failed: the code of the refusal, and the server's words where the code is not enough. */
export interface FailureReason {
  code: string;
  message: string;
}

/** What a notification says. */
export type NotificationContent =
  | { code: 'joined' | 'left'; who: Named; /** Further people of whom the same is said. */ others?: number }
  | { code: 'chatMessage' | 'privateMessage' | 'pollOpened'; who: Named; text: string }
  | { code: 'handRaised'; who: Named }
  | { code: 'breakoutsClosed' }
  | { code: 'chatPolicyChanged'; policy: ChatPolicy }
  | { code: 'policyChanged'; policy: Policy }
  | { code: 'sharingChanged'; sharing: Sharing }
  | { code: 'unmuteAsked'; who: Named }
  | { code: 'mutedAll' | 'sharingStopped' | 'onlyHostsShare' | 'spotlit' | 'spotlightEnded' }
  | { code: 'roleChanged'; role: Role | 'retired' }
  | { code: 'muted'; device: Device }
  | { code: 'viewerCannotSend' | 'cameraPaused' | 'chatNotLoaded' | 'breakoutsNotLoaded' | 'statsNotLoaded' | 'captionsNotLoaded' | 'saveDataOffer' | 'hostsAsked' | 'onlyTcp' }
  | { code: 'serverClosing'; seconds: number }
  | { code: 'hostsNotAsked' | 'actionFailed'; reason: FailureReason }
  | { code: 'backgroundOff'; problem: BackgroundProblem }
  | { code: 'screenFailed'; error: ScreenError }
  | { code: 'notSent'; source: MediaSource; reason: FailureReason }
  | { code: 'notReceived'; who: Named; reason: FailureReason };
