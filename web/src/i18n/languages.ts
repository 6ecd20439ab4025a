/** The page's languages, and which of them a person reads. English is part of the first load, others come on demand. */
import type { Catalogue } from './catalogue';
import { EN } from './en';

export interface Language {
  /** The language's name for itself. */
  name: string;
  direction: 'ltr' | 'rtl';
  load(): Promise<Catalogue>;
}

const load = (module: Promise<{ default: Catalogue }>) => module.then(({ default: catalogue }) => catalogue);

/** By language tag. */
export const LANGUAGES = {
  en: { name: 'English', direction: 'ltr', load: () => Promise.resolve(EN) },
  de: { name: 'Deutsch', direction: 'ltr', load: () => load(import('./de')) },
  es: { name: 'Español', direction: 'ltr', load: () => load(import('./es')) },
  fr: { name: 'Français', direction: 'ltr', load: () => load(import('./fr')) },
  pt: { name: 'Português', direction: 'ltr', load: () => load(import('./pt')) },
  hi: { name: 'हिन्दी', direction: 'ltr', load: () => load(import('./hi')) },
  zh: { name: '中文', direction: 'ltr', load: () => load(import('./zh')) },
  ar: { name: 'العربية', direction: 'rtl', load: () => load(import('./ar')) },
} satisfies Record<string, Language>;

export type LanguageTag = keyof typeof LANGUAGES;

export const LANGUAGE_TAGS = Object.keys(LANGUAGES).filter(isLanguageTag);

export function isLanguageTag(tag: string): tag is LanguageTag {
  return Object.hasOwn(LANGUAGES, tag);
}

/** Returns the first of the person's languages that the page has; regions are ignored. */
export function preferredLanguage(tags: readonly string[]): LanguageTag {
  const bases = tags.map((tag) => tag.toLowerCase().split('-')[0] ?? '');
  return bases.find(isLanguageTag) ?? 'en';
}
