/** The servers that `make league` compares, as its argument `SERVERS` names them. Pure. */
import { DIALECTS, type Dialect } from '../tests/dialects/client';

/** How a server is measured: with the test client of a dialect, or with Watersmeet's own page. */
export type LeagueClient = Dialect | 'page';

export interface LeagueServer {
  name: string;
  client: LeagueClient;
  /** URL of the server, or of the page, without a slash at the end. */
  url: string;
}

/** The tutorial's clients have no microphone. */
const CLIENTS: readonly LeagueClient[] = ['page', ...DIALECTS.filter((dialect) => dialect !== 'tutorial')];

const FORM = 'SERVERS="name=dialect@URL …", as mediasoup=native@http://127.0.0.1:3000';

/**
 * Parses `name=dialect@URL`, several separated by spaces.
 *
 * @throws when a part is not understood, and for servers on other machines.
 */
export function parseServers(text: string): LeagueServer[] {
  const servers = text.split(/\s+/).filter((word) => word !== '').map(parseServer);
  const names = servers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two servers are named ${twice}; the table needs different names`);
  return servers;
}

function parseServer(word: string): LeagueServer {
  const [, name, dialect, address] = /^([^=@|]+)=(\w+)@(.+)$/.exec(word) ?? [];
  if (name === undefined || address === undefined) throw new Error(`cannot read "${word}": ${FORM}`);
  const client = CLIENTS.find((it) => it === dialect);
  if (!client) throw new Error(`${name}: no client speaks "${dialect}"; there are ${CLIENTS.join(', ')}`);
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error(`${name}: "${address}" is no URL that starts with http:// or https://`);
  }
  if (!isLoopback(url.hostname)) {
    throw new Error(`${name}: ${url.hostname} may be another machine; only servers on the loopback address are measured`);
  }
  return { name, client, url: url.href.replace(/\/$/, '') };
}

/** Returns whether a URL's host is this machine's loopback address. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
