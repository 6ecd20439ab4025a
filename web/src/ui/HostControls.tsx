/** Controls of hosts: for one participant, and for the whole room. */
import { useSignal } from '@preact/signals';
import type { App } from '../app';
import { t } from '../i18n/translate';
import { isInvitation } from '../pageUrl';
import type { Participant } from '../participant';
import type { Policy, Sharing } from '../protocol';
import type { Room } from '../room';
import { ChatPolicyField } from './ChatPolicyField';
import { ConfirmDialog } from './ConfirmDialog';
import { RemoveParticipantDialog } from './RemoveParticipantDialog';
import { SelectField } from './SelectField';
import { labelOf, policyLabel, sharingLabel } from './messages';

const POLICIES: Policy[] = ['open', 'invite-only', 'approval', 'locked'];
const SHARING: Sharing[] = ['everybody', 'hosts'];

/** Actions of a host on one participant. */
export function HostActions({ room, participant }: { room: Room; participant: Participant }) {
  const { moderation } = room;
  const confirmingRemoval = useSignal(false);
  const { id, identity } = participant;
  const role = participant.role.value;
  const label = labelOf(identity);
  return (
    <div class="options" role="group" aria-label={t('host.options', { name: label })}>
      {participant.microphoneOn.value ? (
        <ActionButton text={t('host.mute')} onClick={() => moderation.mute(id)} />
      ) : (
        <ActionButton text={t('host.askToUnmute')} disabled={role === 'viewer'} onClick={() => moderation.askToUnmute(identity)} />
      )}
      {participant.screens.value.length > 0 && (
        <ActionButton text={t('host.stopSharing')} onClick={() => moderation.stopSharing(id)} />
      )}
      <SpotlightButton room={room} id={id} />
      {role !== 'host' && <ActionButton text={t('host.appoint')} onClick={() => moderation.appointHost(id)} />}
      <ActionButton
        text={t(role === 'speaker' ? 'host.makeViewer' : 'host.makeSpeaker')}
        onClick={() => (role === 'speaker' ? moderation.demote(id) : moderation.promote(id))}
      />
      <ActionButton text={t('host.remove')} bad onClick={() => (confirmingRemoval.value = true)} />
      {confirmingRemoval.value && (
        <RemoveParticipantDialog
          name={label}
          remove={(ban) => moderation.remove(id, ban)}
          close={() => (confirmingRemoval.value = false)}
        />
      )}
    </div>
  );
}

/** Actions of a host on the own tile. */
export function OwnHostActions({ room, name }: { room: Room; name: string }) {
  return (
    <div class="options" role="group" aria-label={t('host.options', { name })}>
      <SpotlightButton room={room} id={room.ownId} />
    </div>
  );
}

function SpotlightButton({ room: { hosting, moderation }, id }: { room: Room; id: string }) {
  const isSpotlit = hosting.spotlight.value === id;
  return (
    <ActionButton
      text={t(isSpotlit ? 'host.endSpotlight' : 'host.spotlight')}
      onClick={() => moderation.spotlight(isSpotlit ? null : id)}
    />
  );
}

interface ActionButtonProps {
  text: string;
  bad?: boolean;
  disabled?: boolean;
  onClick(): void;
}

function ActionButton({ text, bad = false, disabled = false, onClick }: ActionButtonProps) {
  return (
    <button class={`button small ${bad ? 'bad' : ''}`} type="button" disabled={disabled} onClick={onClick}>
      {text}
    </button>
  );
}

/** Rules of the room, folded: hosts need them seldom, and the list below them always. */
export function MeetingRules({ app, room }: { app: App; room: Room }) {
  const { moderation, hosting } = room;
  const policy = moderation.policy.value;
  const linkLacksInvitation = policy === 'invite-only' && !isInvitation(app.token.value, room.id);
  return (
    <details class="rules">
      <summary>
        {t('host.rules')}
        <span class="quiet">{policyLabel(policy)}</span>
      </summary>
      <div class="rule-fields">
        <SelectField
          label={t('policy.label')}
          choices={POLICIES.map((value) => ({ value, text: policyLabel(value) }))}
          chosen={policy}
          choose={(value) => moderation.setPolicy(value)}
        />
        {linkLacksInvitation && <p class="quiet">{t('host.linkLacksInvitation')}</p>}
        <SelectField
          label={t('host.sharing')}
          choices={SHARING.map((value) => ({ value, text: sharingLabel(value) }))}
          chosen={hosting.sharing.value}
          choose={(value) => moderation.setSharing(value)}
        />
        <ChatPolicyField room={room} label={t('host.chat')} />
      </div>
    </details>
  );
}

/** Actions of a host on everybody. */
export function HostControls({ room, openBreakouts }: { room: Room; openBreakouts(): void }) {
  const { moderation } = room;
  const confirmingEnd = useSignal(false);
  const someoneIsOn = room.participants.value.some(({ microphoneOn }) => microphoneOn.value);
  return (
    <footer class="panel-foot">
      <div class="panel-actions">
        <ActionButton text={t('breakout.title')} onClick={openBreakouts} />
        <ActionButton text={t('host.muteAll')} disabled={!someoneIsOn} onClick={() => moderation.muteAll()} />
        <ActionButton text={t('host.end')} bad onClick={() => (confirmingEnd.value = true)} />
      </div>
      {confirmingEnd.value && (
        <ConfirmDialog
          label={t('host.endTitle')}
          cancel={t('host.cancel')}
          confirm={t('host.end')}
          onConfirm={() => moderation.end()}
          close={() => (confirmingEnd.value = false)}
        >
          <p class="quiet">{t('host.endText')}</p>
        </ConfirmDialog>
      )}
    </footer>
  );
}
