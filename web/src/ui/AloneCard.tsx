/** Card over the tiles while no other participant is shown: who is about, and how others come in. */
import type { App } from '../app';
import { t } from '../i18n/translate';
import { isInvitation } from '../pageUrl';
import type { Room } from '../room';
import { CopyLinkButton } from './CopyLinkButton';

export function AloneCard({ app, room }: { app: App; room: Room }) {
  const hint = hintOf(app, room);
  return (
    <div class="invite">
      <p>
        <strong>{presenceText(room)}</strong>
        <br />
        {hint.text}
      </p>
      {hint.sharesLink && <CopyLinkButton link={app.link} wide />}
    </div>
  );
}

function presenceText(room: Room): string {
  if (room.unlistedCount > 0) return t('alone.audience', { count: room.unlistedCount });
  return t(room.hadOthers.value ? 'alone.othersLeft' : 'alone.nobody');
}

/** Returns how somebody comes in, and whether the link helps. Hosts know the policy and who waits. */
function hintOf(app: App, room: Room): { text: string; sharesLink: boolean } {
  const { policy, joinRequests } = room.moderation;
  const waiting = joinRequests.value.length;
  if (waiting > 0) return { text: t('alone.othersWait', { count: waiting }), sharesLink: false };
  if (policy.value === 'locked') return { text: t('alone.locked'), sharesLink: false };
  const lacksInvitation = policy.value === 'invite-only' && !isInvitation(app.token.value, room.id);
  if (lacksInvitation) return { text: t('alone.needsInvitation'), sharesLink: false };
  return { text: t('alone.sendLink'), sharesLink: true };
}
