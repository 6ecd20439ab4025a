/** Links in a chat message. */

/** A part of a message; `href` is absent in plain text. */
export interface TextPart {
  text: string;
  href?: string;
}

const LINK = /https?:\/\/[^\s<>"'`]+/giu;
/** Signs at the end of a link that belong to the sentence around it. */
const SENTENCE_END = /[.,;:!?…，。！？、؟؛»”’]+$/u;

/** Splits a message at its links. Only web addresses become links: others could run something. */
export function splitAtLinks(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = withoutSentenceEnd(match[0]);
    if (!isWebAddress(link)) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index) });
    parts.push({ text: link, href: link });
    end = match.index + link.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** Removes the end of a sentence, and a closing bracket without an opening one. */
function withoutSentenceEnd(link: string): string {
  const short = link.replace(SENTENCE_END, '');
  const isOpenBefore = short.endsWith(')') && !short.includes('(');
  if (isOpenBefore) return withoutSentenceEnd(short.slice(0, -1));
  return short;
}

function isWebAddress(link: string): boolean {
  if (!URL.canParse(link)) return false;
  const { protocol, hostname } = new URL(link);
  return (protocol === 'https:' || protocol === 'http:') && hostname !== '';
}
