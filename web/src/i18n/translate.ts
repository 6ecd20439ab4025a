/**
 * The page's texts in the person's language: `t` returns a text, `tx` one with elements in it. Components that call
 * them render again when the language changes. Numbers and plurals follow the language (`Intl`).
 */
import { signal } from '@preact/signals';
import { IntlMessageFormat } from 'intl-messageformat';
import type { VNode } from 'preact';
import type { Catalogue, MessageKey, ValuesFor } from './catalogue';
import { EN } from './en';
import { LANGUAGES, type LanguageTag } from './languages';

interface Texts {
  language: LanguageTag;
  catalogue: Catalogue;
  /** Parsed messages, by key. */
  formats: Map<MessageKey, IntlMessageFormat>;
}

type Value = string | number;

const texts = signal<Texts>({ language: 'en', catalogue: EN, formats: new Map() });

/** Number of the latest change of language; an earlier one that loads for longer has no effect. */
let latestChange = 0;

export function currentLanguage(): LanguageTag {
  return texts.value.language;
}

/** Loads a language and shows it. Where it cannot be loaded, the present one stays. */
export async function showLanguage(language: LanguageTag): Promise<void> {
  const change = ++latestChange;
  try {
    const catalogue = await LANGUAGES[language].load();
    if (change === latestChange) texts.value = { language, catalogue, formats: new Map() };
  } catch {
    // The server is out of reach; the page tells that where it matters.
  }
}

/** Returns a text. Names in it that are written in the other direction do not move their neighbours. */
export function t<Key extends MessageKey>(key: Key, ...[values]: ValuesFor<Key, Value>): string {
  const isolated = Object.entries<Value>(values ?? {}).map(([name, value]): [string, Value] => [name, isolate(value)]);
  return String(formatOf(key).format(Object.fromEntries(isolated)));
}

/** Returns the parts of a text, some of which are elements. */
export function tx<Key extends MessageKey>(key: Key, ...[values]: ValuesFor<Key, VNode>): (string | VNode)[] {
  const parts = formatOf(key).format<VNode>(values);
  return Array.isArray(parts) ? parts : [parts];
}

/** Returns a number as the language writes it. */
export function formatNumber(value: number): string {
  return new Intl.NumberFormat(texts.value.language).format(value);
}

/** Returns a measured value with its unit, as the language writes it; `digits` after the decimal point at most. */
export function formatUnit(value: number, unit: 'kilobit-per-second' | 'millisecond' | 'percent', digits = 0): string {
  const options = { style: 'unit', unit, maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(texts.value.language, options).format(value);
}

function formatOf(key: MessageKey): IntlMessageFormat {
  const { language, catalogue, formats } = texts.value;
  const known = formats.get(key);
  if (known) return known;
  const format = new IntlMessageFormat(catalogue[key], language, undefined, { ignoreTag: true });
  formats.set(key, format);
  return format;
}

/** Letters that are written from right to left, and from left to right. */
const RTL_LETTER = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const LTR_LETTER = /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Han}\p{Script=Devanagari}]/u;
const FIRST_STRONG_ISOLATE = '\u2068';
const POP_DIRECTIONAL_ISOLATE = '\u2069';

/** Puts a value between isolates (Unicode UAX #9) if it has letters of the other direction than the page. */
function isolate(value: Value): Value {
  if (typeof value === 'number') return value;
  const foreign = LANGUAGES[texts.value.language].direction === 'rtl' ? LTR_LETTER : RTL_LETTER;
  return foreign.test(value) ? `${FIRST_STRONG_ISOLATE}${value}${POP_DIRECTIONAL_ISOLATE}` : value;
}
