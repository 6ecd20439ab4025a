/** Creates rooms with an access policy over the server's REST API. */
import { parsePageUrl, type Destination } from './pageUrl';
import type { Policy } from './protocol';

/** Why a room could not be created; the page has a message for each. */
export type CreateRoomFailure = 'unreachable' | 'unavailable' | 'forbidden' | 'rate-limited' | 'refused';

export class CreateRoomError extends Error {
  override readonly name = 'CreateRoomError';
  constructor(readonly failure: CreateRoomFailure) {
    super(failure);
  }
}

/** The server has to answer within this time. */
const REPLY_MS_MAX = 10_000;

export interface NewRoom {
  hostName: string;
  /** Name of the meeting for people to read. */
  title: string;
  policy: Policy;
}

export interface CreatedRoom {
  /** The room and an invitation that may be shared. */
  destination: Destination;
  /** Makes its bearer the host; empty when the first participant becomes host. */
  hostToken: string;
}

/**
 * Creates a room at the server of the page in the folder `base`. `bearer` is a token that identifies the caller where the server requires one;
 * empty for none.
 *
 * Throws `CreateRoomError`.
 */
export async function createRoom(base: URL, room: NewRoom, bearer: string): Promise<CreatedRoom> {
  const response = await post(new URL('api/rooms', base), { ...room, hostToken: true }, bearer);
  if (!response.ok) throw new CreateRoomError(failureOf(response.status));
  const { inviteLink, hostToken } = await readObject(response);
  const isLink = typeof inviteLink === 'string' && URL.canParse(inviteLink, base.href);
  if (!isLink) throw new CreateRoomError('unavailable');
  const { roomId, token } = parsePageUrl(new URL(inviteLink, base));
  if (!roomId) throw new CreateRoomError('unavailable');
  return { destination: { roomId, token }, hostToken: typeof hostToken === 'string' ? hostToken : '' };
}

async function post(url: URL, body: object, bearer: string): Promise<Response> {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REPLY_MS_MAX),
    });
  } catch {
    throw new CreateRoomError('unreachable');
  }
}

/** Reads a JSON object; returns an empty one when the path serves something else. */
async function readObject(response: Response): Promise<Record<string, unknown>> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function failureOf(status: number): CreateRoomFailure {
  switch (status) {
    case 401:
    case 403:
      return 'forbidden';
    case 404:
    case 405:
    case 501:
      return 'unavailable';
    case 429:
      return 'rate-limited';
    default:
      return 'refused';
  }
}
