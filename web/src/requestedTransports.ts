/** Both transports of an attempt to join, which are requested before it is known whether the server lets us in. */
import type { Direction, TransportCreated } from './protocol';
import type { RoomSignalling } from './signalling';

export type RequestedTransports = [send: Promise<TransportCreated>, recv: Promise<TransportCreated>];

/** Requests both transports; refused while we are not in the room. */
export function requestTransports({ request }: RoomSignalling): RequestedTransports {
  const create = (direction: Direction) => request('createTransport', { direction });
  const transports: RequestedTransports = [create('send'), create('recv')];
  for (const transport of transports) transport.catch(() => undefined);
  return transports;
}

/** Closes the transports that were granted although the attempt has no use for them. */
export function discardTransports({ request }: RoomSignalling, transports: RequestedTransports): void {
  for (const transport of transports) {
    transport.then(({ transportId }) => request('closeTransport', { transportId })).catch(() => undefined);
  }
}
