/** Button of a call to raise a hand and to react. */
import { t } from '../i18n/translate';
import { REACTIONS } from '../reactions';
import type { Room } from '../room';
import { keyOf } from '../shortcuts';
import { HandIcon } from './icons';
import { Popover } from './Popover';

export function ReactionControl({ room }: { room: Room }) {
  const { conversation } = room;
  const isRaised = conversation.hands.isOwnRaised.value;
  return (
    <Popover label={t('controls.reactions')} class="round" pressed={isRaised} icon={<HandIcon />}>
      {(close) => (
        <>
          <button
            type="button"
            class={`button ${isRaised ? '' : 'primary'}`}
            aria-keyshortcuts={keyOf('hand')}
            onClick={() => {
              conversation.hands.toggle();
              close();
            }}
          >
            {t(isRaised ? 'hands.lower' : 'hands.raise')}
          </button>
          <div class="reactions" role="group" aria-label={t('reactions.title')}>
            {REACTIONS.map((emoji) => (
              <button type="button" key={emoji} class="reaction" aria-label={t('reactions.send', { emoji })} onClick={() => conversation.react(emoji)}>
                {emoji}
              </button>
            ))}
          </div>
        </>
      )}
    </Popover>
  );
}
