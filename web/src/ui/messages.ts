/** Sentences for codes of the client: what happened, and what to do. */
import type { CreateRoomFailure } from '../createRoom';
import type { Device, DeviceError } from '../capture';
import type { Cause, OwnCause, Symptom } from '../connectionQuality';
import { formatUnit, t } from '../i18n/translate';
import { ROOM_NAME_MAX, cutText, type TypedProblem } from '../pageUrl';
import type { FailureReason, Named, NotificationContent } from '../notifications';
import type { Policy, Role, Sharing } from '../protocol';
import type { HeldBackReason } from '../remoteProducer';
import type { JoinFailure } from '../room';

/** Characters of an id that tell guests without names apart. */
const GUEST_NUMBER_LEN = 4;
/** Characters of a chat message that a notification shows. */
const EXCERPT_LENGTH_MAX = 120;

/** Returns the name to show; participants with other clients may have none. */
export function labelOf({ id, name }: Named): string {
  return name || t('people.guest', { number: id.slice(-GUEST_NUMBER_LEN) });
}

export function deviceErrorText(subject: Device | 'both', error: DeviceError): string {
  return t(`deviceError.${subject}.${error}`);
}

/** Why the media of a participant suffers. */
export function causeText(cause: Cause, name: string): string {
  return cause === 'own' ? ownCauseText('connection') : t(`cause.${cause}`, { name });
}

export function ownCauseText(cause: OwnCause): string {
  return t(`cause.own.${cause}`);
}

/** What is measured to be bad, with how bad it is. */
export function symptomText(symptom: Symptom): string {
  switch (symptom.code) {
    case 'lost':
    case 'concealed':
    case 'frozen':
      return t(`symptom.${symptom.code}`, { share: formatUnit(symptom.share * 100, 'percent') });
    case 'delayed':
      return t('symptom.delayed', { time: formatUnit(symptom.rttMs, 'millisecond') });
    case 'starved':
      return t('symptom.starved', { bitrate: formatUnit(symptom.bitrate / 1_000, 'kilobit-per-second') });
    default:
      return t(`symptom.${symptom.code}`);
  }
}

/** Why the server sends nothing of a picture, and when it does again. */
export function heldBackText(reason: HeldBackReason): { reason: string; outlook: string } {
  return { reason: t(`tile.heldBack.${reason}`), outlook: t(`tile.heldBack.${reason}.outlook`) };
}

/** `invited` tells whether the person has a token. */
export function joinFailureText({ reason, message, code }: JoinFailure, invited: boolean): string {
  if (reason !== 'refused') return t(`joinFailure.${reason}`);
  switch (code) {
    case 'invalid-token':
      return t(invited ? 'joinFailure.invitationInvalid' : 'joinFailure.invitationNeeded');
    case 'forbidden':
    case 'banned':
      return t(`joinFailure.${code}`);
    case 'room-locked':
      return t('joinFailure.roomLocked');
    case 'room-not-found':
      return t('joinFailure.roomNotFound');
    case 'limit-reached':
      return t(/participant/i.test(message) ? 'joinFailure.roomFull' : 'joinFailure.serverFull');
    case 'rate-limited':
      return t('joinFailure.rateLimited');
    default:
      return t('joinFailure.other', { reason: reasonText({ code, message }) });
  }
}

/** Why what a person typed leads to no room. */
export function typedProblemText(problem: TypedProblem): string {
  switch (problem.code) {
    case 'otherServer':
      return t('landing.otherServer', { host: problem.host });
    case 'tooLong':
      return t('field.tooLong', { max: ROOM_NAME_MAX });
    default:
      return t(`landing.${problem.code}`);
  }
}

export function createRoomErrorText(error: CreateRoomFailure): string {
  return t(`createRoom.${error}`);
}

export function policyLabel(policy: Policy): string {
  return t(`policy.${policy}`);
}

export function sharingLabel(sharing: Sharing): string {
  return t(`host.sharing.${sharing}`);
}

/** Label of a role; empty for speakers, the usual one. */
export function roleLabel(role: Role): string {
  return role === 'speaker' ? '' : t(`role.${role}`);
}

export function notificationText(content: NotificationContent): string {
  switch (content.code) {
    case 'joined':
    case 'left': {
      const [name, count] = [labelOf(content.who), content.others ?? 0];
      return count > 0 ? t(`notification.${content.code}Many`, { name, count }) : t(`notification.${content.code}`, { name });
    }
    case 'chatMessage':
    case 'privateMessage':
    case 'pollOpened':
      return t(`notification.${content.code}`, { name: labelOf(content.who), text: excerptOf(content.text) });
    case 'handRaised':
      return t('notification.handRaised', { name: labelOf(content.who) });
    case 'chatPolicyChanged':
      return t(`notification.chatPolicy.${content.policy}`);
    case 'policyChanged':
      return t(`notification.policy.${content.policy}`);
    case 'sharingChanged':
      return t(`notification.sharing.${content.sharing}`);
    case 'unmuteAsked':
      return t('notification.unmuteAsked', { name: labelOf(content.who) });
    case 'roleChanged':
      return t(`notification.role.${content.role}`);
    case 'muted':
      return t(`notification.muted.${content.device}`);
    case 'serverClosing':
      return t('notification.serverClosing', { seconds: content.seconds });
    case 'backgroundOff':
      return t(`background.${content.problem}`);
    case 'screenFailed':
      return t(`screenError.${content.error}`);
    case 'hostsNotAsked':
    case 'actionFailed':
      return t(`notification.${content.code}`, { reason: reasonText(content.reason) });
    case 'notSent':
      return t(`notification.notSent.${content.source}`, { reason: reasonText(content.reason) });
    case 'notReceived':
      return t('notification.notReceived', { name: labelOf(content.who), reason: reasonText(content.reason) });
    default:
      return t(`notification.${content.code}`);
  }
}

/** Returns the beginning of a text in one line. */
function excerptOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const excerpt = cutText(line, EXCERPT_LENGTH_MAX);
  return excerpt === line ? line : `${excerpt}…`;
}

/** Returns why a request failed, as it is said within brackets. */
export function reasonText({ code, message }: FailureReason): string {
  switch (code) {
    case 'forbidden':
    case 'limit-reached':
    case 'no-private-messages':
    case 'participant-not-found':
    case 'poll-closed':
    case 'rate-limited':
    case 'timed-out':
    case 'unsupported':
      return t(`refusal.${code}`);
    default:
      return t('refusal.other', { message });
  }
}
