/** Dialog of a host for breakout rooms: planning them, and managing those that are open. */
import { useSignal } from '@preact/signals';
import { ROOMS_MAX, ROOMS_MIN, assignEvenly, assignPerson, keepRooms, peopleByRoom, type Plan } from '../breakoutPlan';
import { t } from '../i18n/translate';
import type { Participant } from '../participant';
import type { BreakoutRoom } from '../protocol';
import type { Room } from '../room';
import { PanelDialog } from './PanelDialog';
import { SelectField } from './SelectField';
import { TextField } from './TextField';
import { labelOf } from './messages';

/** Value of the choice of no breakout room. */
const MAIN = 'main';
const COUNTS = Array.from({ length: ROOMS_MAX - ROOMS_MIN + 1 }, (_, index) => index + ROOMS_MIN);

export function BreakoutDialog({ room, close }: { room: Room; close(): void }) {
  const state = room.breakouts.state.value;
  return (
    <PanelDialog title={t('breakout.title')} class="breakouts" closeText={t('devices.done')} hasMainButton close={close}>
      {state ? <OpenRooms room={room} rooms={state.rooms} isAway={state.current !== undefined} close={close} /> : <Planning room={room} />}
    </PanelDialog>
  );
}

/** Number of rooms, and who goes where. */
function Planning({ room }: { room: Room }) {
  const participants = room.participants.value;
  const count = useSignal(ROOMS_MIN);
  const plan = useSignal<Plan>(assignEvenly(idsOf(participants), ROOMS_MIN));
  const nameOf = (index: number) => t('breakout.roomName', { number: index + 1 });
  const rooms = Array.from({ length: count.value }, (_, index) => ({ value: String(index), text: nameOf(index) }));
  const choices = [{ value: MAIN, text: t('breakout.main') }, ...rooms];
  const open = () => {
    const people = peopleByRoom(plan.value, count.value);
    // The plan may name participants that have left since it was made.
    const present = new Set(idsOf(room.participants.value));
    void room.breakouts.open(people.map((ids, index) => ({ name: nameOf(index), peerIds: ids.filter((id) => present.has(id)) })));
  };
  return (
    <>
      <SelectField
        label={t('breakout.count')}
        choices={COUNTS.map((value) => ({ value: String(value), text: String(value) }))}
        chosen={String(count.value)}
        choose={(value) => {
          count.value = Number(value);
          plan.value = keepRooms(plan.value, count.value);
        }}
      />
      <div class="breakout-list">
        {participants.map(({ id, identity }) => (
          <SelectField
            key={id}
            isInline
            label={labelOf(identity)}
            choices={choices}
            chosen={String(plan.value.get(id) ?? MAIN)}
            choose={(value) => (plan.value = assignPerson(plan.value, id, value === MAIN ? null : Number(value)))}
          />
        ))}
      </div>
      <div class="dialog-row">
        <button class="button" type="button" onClick={() => (plan.value = assignEvenly(idsOf(participants), count.value))}>
          {t('breakout.evenly')}
        </button>
        <button class="button primary" type="button" onClick={open}>
          {t('breakout.open')}
        </button>
      </div>
    </>
  );
}

interface OpenRoomsProps {
  room: Room;
  rooms: readonly BreakoutRoom[];
  /** Whether we are in one of them. */
  isAway: boolean;
  close(): void;
}

/** Rooms that are open with their people, a message to all, and the end. */
function OpenRooms({ room, rooms, isAway, close }: OpenRoomsProps) {
  const { breakouts } = room;
  const text = useSignal('');
  const choices = [{ value: MAIN, text: t('breakout.main') }, ...rooms.map(({ roomId, name }) => ({ value: roomId, text: name }))];
  const send = async () => {
    if (text.value.trim() && (await breakouts.tell(text.value))) text.value = '';
  };
  const visit = (roomId: string) => {
    close();
    void breakouts.enter(roomId);
  };
  return (
    <>
      <ul class="breakout-list" aria-label={t('breakout.title')}>
        {rooms.map(({ roomId, name }) => {
          const people = breakouts.people.value.filter((person) => person.roomId === roomId);
          const isHere = breakouts.state.value?.current === roomId;
          return (
            <li key={roomId} class="breakout-room" aria-label={name}>
              <span class="person-name">
                <bdi>{name}</bdi>
                <span class="role isolated">{people.map(labelOf).join(', ') || t('breakout.empty')}</span>
              </span>
              {!isHere && (
                <button class="button small" type="button" onClick={() => visit(roomId)}>
                  {t('breakout.visit', { room: name })}
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {!isAway && (
        <div class="breakout-list">
          {room.participants.value.map(({ id, identity }) => (
            <SelectField
              key={id}
              isInline
              label={labelOf(identity)}
              choices={choices}
              chosen={MAIN}
              choose={(value) => value !== MAIN && breakouts.assign(id, value)}
            />
          ))}
        </div>
      )}
      <TextField label={t('breakout.message')} value={text.value} onInput={(value) => (text.value = value)} />
      <div class="dialog-row">
        <button class="button" type="button" disabled={!text.value.trim()} onClick={() => void send()}>
          {t('breakout.send')}
        </button>
        <button class="button danger" type="button" onClick={() => breakouts.close()}>
          {t(breakouts.closingInS.value === null ? 'breakout.close' : 'breakout.closeNow')}
        </button>
      </div>
    </>
  );
}

function idsOf(participants: readonly Participant[]): string[] {
  return participants.map(({ id }) => id);
}
