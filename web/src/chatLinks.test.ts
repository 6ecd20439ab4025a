/** Links in chat messages. */
import { expect, test } from 'vitest';
import { splitAtLinks } from './chatLinks';

/** Returns the links of a message. */
function linksIn(text: string): string[] {
  return splitAtLinks(text).flatMap(({ href }) => href ?? []);
}

test.each([
  ['see https://example.org/a?b=c#d now', ['https://example.org/a?b=c#d']],
  ['(see http://example.org).', ['http://example.org']],
  ['https://en.wikipedia.org/wiki/Tea_(meal), or not', ['https://en.wikipedia.org/wiki/Tea_(meal)']],
  ['HTTPS://EXAMPLE.ORG and https://b.example!', ['HTTPS://EXAMPLE.ORG', 'https://b.example']],
  ['“https://example.org”', ['https://example.org']],
  ['javascript:alert(1) data:text/html,x ftp://example.org', []],
  ['https:// nothing', []],
  ['<a href="https://example.org">', ['https://example.org']],
  ['', []],
])('the links in %j are %j', (text, links) => {
  expect(linksIn(text)).toEqual(links);
});

test('the parts of a message are the message', () => {
  for (const text of ['a https://b.example, c', 'https://b.example', 'plain', '💡 https://b.example/💡.']) {
    expect(splitAtLinks(text).map((part) => part.text).join('')).toBe(text);
  }
});
