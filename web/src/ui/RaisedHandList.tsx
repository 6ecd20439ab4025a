/** Raised hands in the participants panel, in their order. Hosts lower those of others. */
import { t } from '../i18n/translate';
import type { Room } from '../room';
import { labelOf } from './messages';

export function RaisedHandList({ room }: { room: Room }) {
  const { hands } = room.conversation;
  if (hands.hands.value.length === 0) return null;
  const isHost = room.role.value === 'host';
  return (
    <section class="requesters" aria-label={t('hands.title')}>
      <h3>{t('hands.title')}</h3>
      <ol class="hands" aria-label={t('hands.title')}>
        {hands.hands.value.map((hand) => {
          const name = hand.isOwn ? t('people.you') : labelOf(hand.owner);
          return (
            <li class="person" key={hand.number} aria-label={name}>
              <bdi class="person-name">{name}</bdi>
              {(isHost || hand.isOwn) && (
                <button class="button small" type="button" aria-label={hand.isOwn ? undefined : t('hands.lowerOf', { name })} onClick={() => hands.lower(hand)}>
                  {t('hands.lower')}
                </button>
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
