import { describe, expect, test } from 'vitest';
import { parseServers } from './leagueServers';

describe('parseServers', () => {
  test('servers are separated by spaces, and each has a name, a client and a URL', () => {
    const text = ' ours=page@http://localhost:3000/  mediasoup=native@http://127.0.0.1:3001/base\nsix=sfu@https://[::1]:3002';
    expect(parseServers(text)).toEqual([
      { name: 'ours', client: 'page', url: 'http://localhost:3000' },
      { name: 'mediasoup', client: 'native', url: 'http://127.0.0.1:3001/base' },
      { name: 'six', client: 'sfu', url: 'https://[::1]:3002' },
    ]);
  });

  test('no text names no server', () => {
    expect(parseServers('')).toEqual([]);
  });

  test.each([
    ['a=sfu@http://10.0.0.2:3000', '10.0.0.2 may be another machine'],
    ['a=sfu@http://example.org', 'example.org may be another machine'],
    ['a=sfu@http://127.0.0.1.example.org', 'only servers on the loopback address'],
    ['a=sfu@ftp://127.0.0.1', 'no URL that starts with http'],
    ['a=sfu@127.0.0.1:3000', 'no URL that starts with http'],
    ['a=xmpp@http://127.0.0.1', 'no client speaks "xmpp"; there are page, native'],
    ['a=tutorial@http://127.0.0.1', 'no client speaks "tutorial"'],
    ['http://127.0.0.1:3000', 'cannot read "http://127.0.0.1:3000"'],
    ['a=sfu@http://127.0.0.1 a=rmm@http://127.0.0.1', 'two servers are named a'],
  ])('%s is refused', (text, reason) => {
    expect(() => parseServers(text)).toThrow(reason);
  });
});
