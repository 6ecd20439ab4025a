/** Types of the page's texts, derived from the English ones. */
import type { EN } from './en';

export type MessageKey = keyof typeof EN;

/** The texts of one language. */
export type Catalogue = Record<MessageKey, string>;

/** Names of the placeholders of a message in the ICU format. Branches of plurals contain spaces or `#`. */
type PlaceholdersOf<Message extends string> = Message extends `${string}{${infer Rest}`
  ? NameAt<Rest> | PlaceholdersOf<Rest>
  : never;

type NameAt<Text extends string> = Text extends `${infer Head}}${string}`
  ? Head extends `${infer Name},${string}`
    ? NameOnly<Name>
    : NameOnly<Head>
  : never;

type NameOnly<Text extends string> = Text extends '' | `${string}${' ' | '#' | '.'}${string}` ? never : Text;

export type PlaceholderOf<Key extends MessageKey> = PlaceholdersOf<(typeof EN)[Key]>;

/** Arguments after the key: an object with a value for each placeholder, or nothing. */
export type ValuesFor<Key extends MessageKey, Value> = [PlaceholderOf<Key>] extends [never]
  ? []
  : [values: Record<PlaceholderOf<Key>, Value>];
