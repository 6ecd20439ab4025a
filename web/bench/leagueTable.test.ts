import { describe, expect, test } from 'vitest';
import { formatTable, type LeagueResult } from './leagueTable';
import type { PhaseResult } from './lines';

const PHASE: PhaseResult = {
  phase: 'slow',
  lineKbps: 500,
  offeredKbps: 550,
  videoKbps: 400.4,
  concealedPercent: 1.234,
  frozenPercent: 0.06,
  longestPauseMs: 120,
  framesPerSecond: 23.96,
  finalHeight: 360,
  bestHeight: 360,
};

describe('formatTable', () => {
  test('a phase has a row for each measure, and a server a column', () => {
    const { lineKbps: _, ...lossy } = { ...PHASE, phase: 'lossy', offeredKbps: 2_000.4 };
    const results: LeagueResult[] = [
      { server: 'ours', line: 'dip', phases: [PHASE, lossy] },
      { server: 'another', line: 'dip', phases: [], failure: 'no answer' },
    ];
    expect(formatTable(results).split('\n')).toEqual([
      '| line | phase | measure                |        ours | another |',
      '| ---- | ----- | ---------------------- | ----------: | ------: |',
      '| dip  | slow  | most offered after 1 s |      1.10 × |  failed |',
      '|      |       | video                  |  400 kbit/s |  failed |',
      '|      |       | audio concealed        |      1.23 % |  failed |',
      '|      |       | frozen                 |       0.1 % |  failed |',
      '|      |       | longest pause          |      120 ms |  failed |',
      '|      |       | frames                 |    24.0 fps |  failed |',
      '|      |       | height at the end      |        360p |  failed |',
      '|      | lossy | most offered after 1 s | 2000 kbit/s |  failed |',
      '|      |       | video                  |  400 kbit/s |  failed |',
      '|      |       | audio concealed        |      1.23 % |  failed |',
      '|      |       | frozen                 |       0.1 % |  failed |',
      '|      |       | longest pause          |      120 ms |  failed |',
      '|      |       | frames                 |    24.0 fps |  failed |',
      '|      |       | height at the end      |        360p |  failed |',
    ]);
  });

  test('a line on which every server failed has one row', () => {
    const results: LeagueResult[] = [{ server: 'ours', line: 'dip', phases: [], failure: 'no answer' }];
    expect(formatTable(results).split('\n').at(-1)).toBe('| dip  | –     | –       | failed |');
  });
});
