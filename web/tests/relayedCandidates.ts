/** Makes a page reach a server through relays: replaces the server's ICE candidates before the browser learns them. */
import type { Page } from '@playwright/test';

/** Address of a server's UDP candidate. */
export interface UdpAddress {
  address: string;
  port: number;
}

/** Returns the port of a relay to this address on the loopback address, or null to leave the candidate out. */
export type RelayPort = (server: UdpAddress) => Promise<number | null>;

declare global {
  interface Window {
    /** Replaces the candidates of a session description, outside of the page. */
    relayCandidates(sdp: string): Promise<string>;
  }
}

/**
 * Returns a session description in which every UDP candidate is one of a relay. TCP candidates and those without a
 * relay are removed.
 *
 * @throws when the description has candidates and none is left.
 */
export async function relayCandidates(sdp: string, relayPort: RelayPort): Promise<string> {
  const lines: string[] = [];
  const removed: string[] = [];
  let relayed = 0;
  for (const line of sdp.split('\r\n')) {
    if (!line.startsWith('a=candidate:')) {
      lines.push(line);
      continue;
    }
    // a=candidate:<foundation> <component> udp <priority> <address> <port> typ host (RFC 8839 §5.1)
    const [, head, address = '', port, tail] = /^(\S+ \d+ udp \d+) (\S+) (\d+)(.*)$/i.exec(line) ?? [];
    const local = head === undefined ? null : await relayPort({ address, port: Number(port) });
    if (local === null) {
      removed.push(line);
    } else {
      lines.push(`${head} 127.0.0.1 ${local}${tail}`);
      relayed += 1;
    }
  }
  if (relayed === 0 && removed.length > 0) {
    throw new Error(`the server offers no UDP candidate that a relay can reach: ${removed.join('; ')}`);
  }
  return lines.join('\r\n');
}

/** Sends the media of a page that is not loaded yet through relays. */
export async function relayPage(page: Page, relayPort: RelayPort): Promise<void> {
  await page.exposeFunction('relayCandidates', (sdp: string) => relayCandidates(sdp, relayPort));
  await page.addInitScript(() => {
    const { prototype } = RTCPeerConnection;
    const set = prototype.setRemoteDescription;
    const relayed = async function (this: RTCPeerConnection, description: RTCSessionDescriptionInit): Promise<void> {
      const sdp = await window.relayCandidates(description.sdp ?? '');
      await Reflect.apply(set, this, [{ type: description.type, sdp }]);
    };
    Object.assign(prototype, { setRemoteDescription: relayed });
  });
}
