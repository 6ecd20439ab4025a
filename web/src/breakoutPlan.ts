/** Who goes to which breakout room, as a host plans it before the rooms are opened. Knows no server. */

/** Bounds of the number of breakout rooms, as the server has them. */
export const ROOMS_MIN = 2;
export const ROOMS_MAX = 20;

/** Number of each person's room, from 0, by id; people without one stay in the main room. */
export type Plan = ReadonlyMap<string, number>;

/** Spreads people over rooms, so that the sizes differ by one at most. */
export function assignEvenly(ids: readonly string[], rooms: number): Plan {
  return new Map(ids.map((id, index) => [id, index % rooms]));
}

/** Returns a plan with another room for one person; null for the main room. */
export function assignPerson(plan: Plan, id: string, room: number | null): Plan {
  const next = new Map(plan);
  if (room === null) next.delete(id);
  else next.set(id, room);
  return next;
}

/** Returns a plan that names none of the rooms from `rooms` on, which there are no longer. */
export function keepRooms(plan: Plan, rooms: number): Plan {
  return new Map([...plan].filter(([, room]) => room < rooms));
}

/** Returns the ids of the people of each room. */
export function peopleByRoom(plan: Plan, rooms: number): string[][] {
  return Array.from({ length: rooms }, (_, room) => [...plan].filter(([, own]) => own === room).map(([id]) => id));
}
