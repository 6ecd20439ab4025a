import { expect, test } from 'vitest';
import { LINE_SHOWN_MS, withCaption, withoutOld, type CaptionLine } from './captionLines';

const ADA = { id: 'a', name: 'Ada' };
const BEN = { id: 'b', name: 'Ben' };

function said(...captions: [speaker: typeof ADA, text: string, isFinal: boolean][]): CaptionLine[] {
  return captions.reduce<CaptionLine[]>((lines, [speaker, text, isFinal], at) => withCaption(lines, { speaker, text, isFinal }, at), []);
}

function texts(lines: CaptionLine[]): string[] {
  return lines.map(({ speaker, text }) => `${speaker.name}: ${text}`);
}

test('words that are not final are replaced', () => {
  const lines = said([ADA, 'Good mor', false], [BEN, 'Hi', false], [ADA, 'Good morning', true]);
  expect(texts(lines)).toEqual(['Ada: Good morning', 'Ben: Hi']);
  expect(lines.map(({ id }) => id)).toEqual([1, 2]);
});

test('words that are final stay, and the last two lines are shown', () => {
  expect(texts(said([ADA, 'one', true], [ADA, 'two', true], [ADA, 'three', false]))).toEqual(['Ada: two', 'Ada: three']);
});

test('lines age out after their last change', () => {
  const lines = withCaption(said([ADA, 'one', true]), { speaker: BEN, text: 'two', isFinal: true }, 5_000);
  expect(texts(withoutOld(lines, LINE_SHOWN_MS - 1))).toEqual(['Ada: one', 'Ben: two']);
  expect(texts(withoutOld(lines, LINE_SHOWN_MS))).toEqual(['Ben: two']);
  expect(withoutOld(lines, 5_000 + LINE_SHOWN_MS)).toEqual([]);
});

test('the end of a long text is shown, from the beginning of a word', () => {
  const [line] = said([ADA, `${'word '.repeat(60)}end`, false]);
  expect(line?.text).toMatch(/^…word .* end$/);
  expect([...(line?.text ?? '')].length).toBeLessThanOrEqual(160);
  expect([...(said([ADA, '字'.repeat(300), false])[0]?.text ?? '')]).toHaveLength(160);
});
