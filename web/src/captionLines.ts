/** Which captions are shown: the last lines, each for some seconds after its last change. Pure. */
import type { Named } from './notifications';

/** Words of one person. */
export interface SpokenText {
  speaker: Named;
  text: string;
  /** Whether the words stay as they are; otherwise the next caption of the speaker replaces them. */
  isFinal: boolean;
}

export interface CaptionLine extends SpokenText {
  id: number;
  changedAtMs: number;
}

/** Lines that are shown at a time. */
const LINES_MAX = 2;
/** How long a line stays after its last change, in ms: twice as long as reading it takes. */
export const LINE_SHOWN_MS = 8_000;
/** Characters of a line that are shown, from its end: two rows on a wide page. */
const LINE_LENGTH_MAX = 160;

/** Adds a caption, or replaces what its speaker has not finished. */
export function withCaption(lines: readonly CaptionLine[], spoken: SpokenText, nowMs: number): CaptionLine[] {
  const unfinished = lines.findLast(({ speaker, isFinal }) => speaker.id === spoken.speaker.id && !isFinal);
  const id = unfinished?.id ?? (lines.at(-1)?.id ?? 0) + 1;
  const line = { ...spoken, id, changedAtMs: nowMs, text: endOf(spoken.text) };
  if (unfinished) return lines.map((it) => (it === unfinished ? line : it));
  return [...lines, line].slice(-LINES_MAX);
}

/** Returns the lines that have not been there for too long. */
export function withoutOld(lines: readonly CaptionLine[], nowMs: number): CaptionLine[] {
  return lines.filter(({ changedAtMs }) => nowMs - changedAtMs < LINE_SHOWN_MS);
}

/** Returns the end of a text, from the beginning of a word where it has some. */
function endOf(text: string): string {
  const characters = [...text.trim()];
  if (characters.length <= LINE_LENGTH_MAX) return characters.join('');
  const end = characters.slice(1 - LINE_LENGTH_MAX).join('');
  const space = end.indexOf(' ');
  return `…${space < 0 ? end : end.slice(space + 1)}`;
}
