/** Signs of a person on the tile: the raised hand with its place in the order, and the latest reaction. */
import { formatNumber, t } from '../i18n/translate';
import type { Room } from '../room';
import { HandIcon } from './icons';

export function TileSigns({ room, id }: { room: Room; id: string }) {
  const { hands, reactions } = room.conversation;
  const place = hands.placeOf(id);
  const reaction = reactions.shown.value.get(id);
  if (place === 0 && !reaction) return null;
  return (
    <div class="tile-signs">
      {place > 0 && (
        <span class="tile-hand" role="img" aria-label={t('hands.place', { place })}>
          <HandIcon />
          <span aria-hidden="true">{formatNumber(place)}</span>
        </span>
      )}
      {reaction && (
        <span key={reaction.number} class="tile-reaction" role="img" aria-label={t('reactions.shown', { emoji: reaction.emoji })}>
          {reaction.emoji}
        </span>
      )}
    </div>
  );
}
