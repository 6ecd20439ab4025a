/** What is said of breakout rooms over the tiles: where we are or go, and the way back. */
import type { ComponentChildren } from 'preact';
import { t } from '../i18n/translate';
import type { Room } from '../room';

export function BreakoutBanner({ room, manage }: { room: Room; manage(): void }) {
  const { breakouts } = room;
  const state = breakouts.state.value;
  if (!state) return null;
  const [closing, going] = [breakouts.closingInS.value, breakouts.goingInS.value];
  const assigned = breakouts.assignedName.value;
  const isHost = room.role.value === 'host';
  if (state.current !== undefined) {
    const text = closing === null ? t('breakout.in', { room: breakouts.currentName.value }) : closingText(closing);
    return (
      <Line text={text}>
        {isHost && <ManageButton onClick={manage} />}
        <button class="button small primary" type="button" onClick={() => void breakouts.enter(null)}>
          {t('breakout.return')}
        </button>
      </Line>
    );
  }
  if (closing !== null) return <Line text={closingText(closing)} />;
  if (going !== null && assigned) {
    return (
      <Line text={t('breakout.going', { room: assigned, seconds: going })}>
        <button class="button small" type="button" onClick={() => breakouts.stay()}>
          {t('breakout.stay')}
        </button>
        <button class="button small primary" type="button" onClick={() => breakouts.enterAssigned()}>
          {t('breakout.go')}
        </button>
      </Line>
    );
  }
  if (!assigned && !isHost) return null;
  return (
    <Line text={assigned ? t('breakout.yours', { room: assigned }) : t('breakout.areOpen')}>
      {isHost && <ManageButton onClick={manage} />}
      {assigned && (
        <button class="button small primary" type="button" onClick={() => breakouts.enterAssigned()}>
          {t('breakout.go')}
        </button>
      )}
    </Line>
  );
}

function closingText(seconds: number): string {
  return t('breakout.closing', { seconds });
}

function ManageButton({ onClick }: { onClick(): void }) {
  return (
    <button class="button small" type="button" onClick={onClick}>
      {t('breakout.manage')}
    </button>
  );
}

function Line({ text, children }: { text: string; children?: ComponentChildren }) {
  return (
    <section class="request" aria-label={t('breakout.title')}>
      <p role="status">{text}</p>
      {children && <div class="request-buttons">{children}</div>}
    </section>
  );
}
