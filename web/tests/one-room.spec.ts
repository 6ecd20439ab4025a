/**
 * Six people in one room, each with a client of another dialect: each sees and
 * hears the five others, and is told in its own words of whoever goes.
 */
import type { Version } from './dialects/bundles';
import type { Dialect } from './dialects/client';
import { test } from './dialects/visitors';

const ROOM = 'where-all-meet';

/** Who comes with what, in the order of coming; those who can remove a producer do so before they go. */
const GUESTS: { name: string; dialect: Dialect; version: Version; closes: boolean }[] = [
  { name: 'rosa', dialect: 'rmm', version: '3.12.5', closes: false },
  { name: 'sven', dialect: 'sfu', version: '3.6.37', closes: false },
  { name: 'mira', dialect: 'meetlite', version: '3.16.7', closes: true },
  { name: 'nora', dialect: 'native', version: 'newest', closes: true },
  { name: 'cyra', dialect: 'call', version: '3.18.7', closes: false },
  { name: 'otto', dialect: 'protoo', version: 'newest', closes: true },
];

test('six clients, one of each dialect, meet in one room and leave it one by one', async ({ visitors }) => {
  await visitors.meetAt({ WATERSMEET_DEFAULT_ROOM: ROOM });
  const there = [];
  for (const { name, dialect, version } of GUESTS) {
    const guest = await visitors.comes(name, dialect, { version });
    // The sfu dialect has no rooms: whoever comes is in the default one.
    await guest.enters(dialect === 'sfu' ? null : ROOM);
    await guest.publishes();
    there.push(guest);
  }
  await visitors.allMeet(there);

  for (const { closes } of GUESTS.slice(0, -1)) {
    const [going, ...staying] = there;
    if (!going) return;
    if (closes) await visitors.removes(going, 'video', staying);
    await visitors.goes(going, staying);
    there.shift();
  }
  await visitors.nobodyFailed();
});
