/** The server's HTTP interface, as far as the page needs it: making a room that one invites to. */
import { readAddress, type Destination } from './address';
import type { Policy } from './protocol';

/** Why a room could not be made; the page has a sentence for each. */
export type CreationTrouble = 'unreachable' | 'unavailable' | 'forbidden' | 'often' | 'refused';

export class CreationRefused extends Error {
  override readonly name = 'CreationRefused';
  constructor(readonly trouble: CreationTrouble) {
    super(trouble);
  }
}

/** The server has to answer within this time. */
const REPLY_MS_MAX = 10_000;

/** A room made for somebody. */
export interface MadeRoom {
  /** Leads to it, with an invitation that may be passed on. */
  destination: Destination;
  /** Makes its bearer the host; empty where whoever comes first is. */
  hostToken: string;
}

/** `bearer` is a token that says who asks, where the server wants to know; empty for nobody in particular. */
export async function createRoom(address: URL, hostName: string, policy: Policy, bearer: string): Promise<MadeRoom> {
  const response = await ask(new URL('/api/rooms', address), { hostName, policy, hostToken: true }, bearer);
  if (!response.ok) throw new CreationRefused(troubleOf(response.status));
  const { inviteLink, hostToken } = await bodyOf(response);
  const leads = typeof inviteLink === 'string' && URL.canParse(inviteLink, address.href);
  if (!leads) throw new CreationRefused('unavailable');
  const { roomId, token } = readAddress(new URL(inviteLink, address));
  if (!roomId) throw new CreationRefused('unavailable');
  return { destination: { roomId, token }, hostToken: typeof hostToken === 'string' ? hostToken : '' };
}

async function ask(url: URL, body: object, bearer: string): Promise<Response> {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REPLY_MS_MAX),
    });
  } catch {
    throw new CreationRefused('unreachable');
  }
}

/** The answer as an object; something else that is served at this path is an empty one. */
async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function troubleOf(status: number): CreationTrouble {
  switch (status) {
    case 401:
    case 403:
      return 'forbidden';
    case 404:
    case 405:
    case 501:
      return 'unavailable';
    case 429:
      return 'often';
    default:
      return 'refused';
  }
}
