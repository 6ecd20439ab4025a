/** Peers of the load generator in one room with a real page. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from '../tests/callFixture';

const GENERATOR = process.env.WATERSMEET_LOAD_BIN ?? fileURLToPath(new URL('../../target/release/watersmeet-load', import.meta.url));

/** Key by which a bench reads the name of the peers' room: the server's `API_KEY`. */
export const API_KEY = 'bench-with-peers-key-0123456789abcdef';

/** Starts peers that join at this rate a second, and stay until the returned function ends them. */
export function startPeers(url: string, joinsPerSecond: number, options: string[]): () => void {
  const lasting = ['--profile', 'webinar', '--join-rate', String(joinsPerSecond), '--seconds', '600'];
  const child = spawn(GENERATOR, ['--url', url.replace('http', 'ws'), ...lasting, ...options], { stdio: 'ignore' });
  return () => void child.kill();
}

/** Returns the name of the peers' room, as soon as the first is in it. */
export async function roomOfPeers(url: string): Promise<string> {
  const names = async () => {
    const { rooms } = (await (await fetch(`${url}/api/rooms`, { headers: { authorization: `Bearer ${API_KEY}` } })).json()) as { rooms: { roomId: string }[] };
    return rooms.map(({ roomId }) => roomId);
  };
  await expect.poll(names, { timeout: 20_000 }).toHaveLength(1);
  return (await names())[0] ?? '';
}
