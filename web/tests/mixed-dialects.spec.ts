/**
 * Six people in one room, each with a client of another dialect: each sees and
 * hears the five others, and is told in its own words of everyone who goes.
 */
import type { Page } from '@playwright/test';
import type { Version } from './dialects/clientBundles';
import type { Dialect } from './dialects/client';
import { expect, test, type Visitor } from './dialects/clientFixture';

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

test('six clients, one of each dialect, meet in one room; each leaves and comes back', async ({ visitors }) => {
  await visitors.meetAt({ WATERSMEET_DEFAULT_ROOM: ROOM });
  const there: Visitor[] = [];
  for (const { name, dialect, version } of GUESTS) {
    const guest = await visitors.comes(name, dialect, { version });
    await arrives(guest);
    there.push(guest);
  }
  await visitors.allMeet(there);

  for (const [at, going] of there.entries()) {
    const staying = there.filter((guest) => guest !== going);
    if (GUESTS[at]?.closes) await visitors.removes(going, 'video', staying);
    await visitors.goes(going, staying);
    await arrives(going);
  }
  await visitors.allMeet(there);
  await visitors.nobodyFailed();
});

test('six come at the same moment; our own page sees and hears them all, and they it', async ({ people, visitors }) => {
  visitors.meetIn(await people.meetAt({ JWT_SECRET: visitors.secret, WATERSMEET_DEFAULT_ROOM: ROOM }));
  const there: Visitor[] = [];
  for (const { name, dialect, version } of GUESTS) there.push(await visitors.comes(name, dialect, { version }));
  await Promise.all(there.map(arrives));
  const nora = there.find(({ dialect }) => dialect === 'native');
  const mark = (await nora?.mark()) ?? 0;
  const ana = await people.joins('ana', { room: ROOM, options: { width: '320' } });

  const announced = async () =>
    ((await nora?.heard(mark)) ?? []).flatMap(({ event, payload }) => (event === 'newProducer' ? [payload as Announced] : []));
  await expect.poll(async () => (await announced()).length, { message: 'ana sends two things' }).toBe(2);
  const published = Object.fromEntries((await announced()).map(({ kind, producerId }) => [kind, producerId]));
  await visitors.allMeet(there, [{ name: 'ana', published }]);

  await expect(ana.page.getByRole('button', { name: 'Participants (7)' })).toBeVisible();
  await expect.poll(() => arriving(ana.page), { timeout: 20_000, message: 'ana receives all' }).toEqual({ seen: 6, heard: 6 });
  await visitors.nobodyFailed();
});

interface Announced {
  kind: string;
  producerId: string;
}

/** How many pictures and voices have come to a page. */
function arriving(page: Page): Promise<{ seen: number; heard: number }> {
  return page.evaluate(async () => {
    const arrived = { seen: 0, heard: 0 };
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        if (report.framesDecoded >= 5) arrived.seen += 1;
        if (report.totalAudioEnergy >= 1e-5) arrived.heard += 1;
      }
    }
    return arrived;
  });
}

/** The sfu dialect has no rooms: whoever comes is in the default one. */
async function arrives(guest: Visitor): Promise<void> {
  await guest.enters(guest.dialect === 'sfu' ? null : ROOM);
  await guest.publishes();
}
