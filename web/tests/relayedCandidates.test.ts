import { describe, expect, test } from 'vitest';
import { relayCandidates, type UdpAddress } from './relayedCandidates';

const SDP = [
  'v=0',
  'a=candidate:udpcandidate 1 udp 1076558079 127.0.0.1 40001 typ host',
  'a=candidate:udpcandidate 1 UDP 1076302079 10.0.0.2 40002 typ host generation 0',
  'a=candidate:tcpcandidate 1 tcp 1076276479 127.0.0.1 40003 typ host tcptype passive',
  'a=end-of-candidates',
  '',
].join('\r\n');

/** Relays on the ports that are 10,000 above those of the server. */
const above = async ({ port }: UdpAddress) => port + 10_000;

describe('relayCandidates', () => {
  test('each UDP candidate becomes that of its relay, and TCP candidates are removed', async () => {
    expect(await relayCandidates(SDP, above)).toBe(
      [
        'v=0',
        'a=candidate:udpcandidate 1 udp 1076558079 127.0.0.1 50001 typ host',
        'a=candidate:udpcandidate 1 UDP 1076302079 127.0.0.1 50002 typ host generation 0',
        'a=end-of-candidates',
        '',
      ].join('\r\n'),
    );
  });

  test('candidates without a relay are removed', async () => {
    const own = async (server: UdpAddress) => (server.address === '127.0.0.1' ? 50_000 : null);
    const candidates = (await relayCandidates(SDP, own)).match(/^a=candidate:.*$/gm);
    expect(candidates).toEqual(['a=candidate:udpcandidate 1 udp 1076558079 127.0.0.1 50000 typ host']);
  });

  test('a description whose candidates all lack a relay is refused', async () => {
    await expect(relayCandidates(SDP, async () => null)).rejects.toThrow(/no UDP candidate that a relay can reach: .*10\.0\.0\.2/);
  });

  test('a description without candidates is not changed', async () => {
    expect(await relayCandidates('v=0\r\ns=-\r\n', above)).toBe('v=0\r\ns=-\r\n');
  });
});
