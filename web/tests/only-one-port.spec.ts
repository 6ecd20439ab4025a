/**
 * A device behind a firewall that lets through connections to the port of the page and nothing else: media goes over
 * that port, by ICE over TCP and, for a browser limited to relays, by TURN over TLS. It needs a network of its own,
 * which `scripts/private-network` gives to a command.
 */
import { NIGHTLY, SMALL_CAMERA, expect, expectAllReceiveAll, test } from './callFixture';
import { HAS_PRIVATE_NETWORK, NetworkNamespace } from './networkNamespace';
import { selectedCandidates, useRelaysOnly } from './relaysOnly';

const CAMERA_FPS = 24;

test('a call through a firewall that allows only the port of the page', NIGHTLY, async ({ call }) => {
  test.skip(!HAS_PRIVATE_NETWORK, 'needs a network of its own: scripts/private-network');
  const device = NetworkNamespace.create();
  try {
    const server = await call.startServer({
      LISTEN_IP: '0.0.0.0',
      WATERSMEET_ONE_PORT: 'true',
      WATERSMEET_TLS_SELF_SIGNED: 'true',
      WATERSMEET_TURN_HOST: device.hostAddress,
    });
    device.allowOnlyPort(server.port);
    const base = `https://${device.hostAddress}:${server.port}`;
    const browser = await device.launchChromium(CAMERA_FPS, ['--ignore-certificate-errors']);
    try {
      const ana = await call.join('ana', SMALL_CAMERA);
      const ben = await call.join('ben', { ...SMALL_CAMERA, base, inBrowser: browser });
      await expectAllReceiveAll([ana, ben]);
      expect(await ben.mediaProtocols()).toEqual(['tcp']);
      expect(await ben.mediaPort()).toBe(server.port);
      expect(await ana.mediaProtocols()).toEqual(['udp']);

      await useRelaysOnly(ben);
      await expectAllReceiveAll([ana, ben]);
      const protocols = await selectedCandidates(ben.page, 'relayProtocol');
      expect(new Set(protocols)).toEqual(new Set(['tls']));
    } finally {
      await browser.close();
    }
  } finally {
    device.remove();
  }
});
