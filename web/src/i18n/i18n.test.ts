import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Catalogue, MessageKey } from './catalogue';
import { EN } from './en';
import { LANGUAGES, LANGUAGE_TAGS, preferredLanguage } from './languages';
import { currentLanguage, formatNumber, showLanguage, t, tx } from './translate';

const KEYS = Object.keys(EN) as MessageKey[];

/** Returns the placeholders of a message with their types, as `count plural`, each once. */
function placeholders(message: string): string[] {
  const found = new Set<string>();
  const visit = (elements: MessageFormatElement[]) => {
    for (const element of elements) {
      if (element.type === TYPE.literal || element.type === TYPE.pound) continue;
      found.add(`${element.value} ${TYPE[element.type]}`);
      if (element.type === TYPE.plural) Object.values(element.options).forEach(({ value }) => visit(value));
    }
  };
  visit(parse(message, { ignoreTag: true }));
  return [...found].sort();
}

/** Returns the plural categories that a message distinguishes; empty for messages without plurals. */
function pluralCategories(message: string): string[] {
  const plural = parse(message, { ignoreTag: true }).find(({ type }) => type === TYPE.plural);
  const options = plural?.type === TYPE.plural ? Object.keys(plural.options) : [];
  return options.filter((option) => !option.startsWith('=')).sort();
}

describe.each(LANGUAGE_TAGS)('the catalogue of %s', (tag) => {
  let catalogue: Catalogue;
  beforeEach(async () => {
    catalogue = await LANGUAGES[tag].load();
  });

  test('has the keys of the English one, in its order', () => {
    expect(Object.keys(catalogue)).toEqual(KEYS);
  });

  test('has no empty text', () => {
    expect(KEYS.filter((key) => catalogue[key].trim() === '')).toEqual([]);
  });

  test('has the placeholders of the English one', () => {
    for (const key of KEYS) expect(placeholders(catalogue[key]), key).toEqual(placeholders(EN[key]));
  });

  test('has a text for each plural category of its language', () => {
    const categories = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.sort();
    for (const key of KEYS) {
      const own = pluralCategories(catalogue[key]);
      if (own.length > 0) expect(own, key).toEqual(categories);
    }
  });

  test('differs from the English one in all but a few texts', () => {
    const same = KEYS.filter((key) => tag !== 'en' && catalogue[key] === EN[key]);
    expect(same.length, same.join()).toBeLessThan(8);
  });
});

test('every text is used', () => {
  const folder = new URL('..', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => /\.tsx?$/.test(file) && !/\.test\.|^i18n/.test(file));
  const source = sources.map((file) => readFileSync(new URL(file, folder), 'utf8')).join('\n');
  const templates = [...source.matchAll(/`([a-zA-Z]+\.[^`\n]*)`/g)].map(([, template = '']) => {
    const fixed = template.split(/\$\{[^}]*\}/).map((part) => part.replaceAll('.', '\\.'));
    return new RegExp(`^${fixed.join('[^.]+')}$`);
  });
  const unused = KEYS.filter((key) => !source.includes(`'${key}'`) && !templates.some((template) => template.test(key)));
  expect(unused).toEqual([]);
});

describe('the language', () => {
  test.each([
    [['de-AT', 'en'], 'de'],
    [['nl', 'pt-BR'], 'pt'],
    [['zh-Hant-TW'], 'zh'],
    [['nl', 'toString'], 'en'],
    [[], 'en'],
    [['', 'ar-EG'], 'ar'],
  ])('of somebody who reads %j is %s', (tags, expected) => {
    expect(preferredLanguage(tags)).toBe(expected);
  });
});

describe('a text', () => {
  beforeEach(() => showLanguage('en'));

  test('has plurals by the rules of the language', async () => {
    expect(t('request.manyWait', { count: 1 })).toBe('One person waits to come in');
    expect(t('request.manyWait', { count: 3 })).toBe('3 people wait to come in');
    await showLanguage('ar');
    expect(t('request.manyWait', { count: 2 })).toBe('شخصان ينتظران الدخول');
  });

  test('has numbers as the language writes them', async () => {
    await showLanguage('de');
    expect(t('people.count', { count: 1234 })).toBe('Teilnehmende (1.234)');
    expect(formatNumber(1234)).toBe('1.234');
  });

  test('shows markup and braces of a name as they are', () => {
    expect(t('notification.joined', { name: '<b>{Ana}</b>' })).toBe('<b>{Ana}</b> joined');
  });

  test('isolates names of the other direction only', async () => {
    expect(t('notification.joined', { name: 'Ana' })).toBe('Ana joined');
    expect(t('notification.joined', { name: 'ليلى' })).toBe('\u2068ليلى\u2069 joined');
    await showLanguage('ar');
    expect(t('notification.joined', { name: 'ليلى' })).toBe('انضم ليلى');
    expect(t('notification.joined', { name: 'Ana' })).toBe('انضم \u2068Ana\u2069');
  });

  test('has elements in place of placeholders', async () => {
    const room = { type: 'strong' } as never;
    expect(tx('left.left.lead', { room })).toEqual(['The room ', room, ' stays open for those still in it.']);
    await showLanguage('zh');
    expect(tx('left.left.lead', { room })).toEqual(['房间 ', room, ' 对仍在其中的人保持开放。']);
  });

  test('is that of the language chosen last, whichever loads first', async () => {
    await Promise.all([showLanguage('fr'), showLanguage('es')]);
    expect(currentLanguage()).toBe('es');
  });
});
