/** Judging connections: thresholds, whose connection it is, and hysteresis. */
import { describe, expect, test } from 'vitest';
import {
  MARK_AFTER_MS,
  NO_MARK,
  UNMARK_AFTER_MS,
  judge,
  ownSymptoms,
  sampleOf,
  symptomsOf,
  updateMark,
  type Evidence,
  type InboundCounters,
  type Mark,
} from './connectionQuality';

const GOOD = { lossShare: 0, concealedShare: 0, frozenShare: 0 };
const BAD = { lossShare: 0.2, concealedShare: 0.1, frozenShare: 0 };

function evidence(part: Partial<Evidence>): Evidence {
  const pictures = { heldBack: 0, reduced: 0, all: 0 };
  return { samples: new Map(), uplinks: new Map(), ownUplink: null, pictures, receive: {}, send: {}, sentLossShare: 0, ...part };
}

function people(...samples: Evidence['samples'] extends ReadonlyMap<string, infer S> ? S[] : never): Evidence['samples'] {
  return new Map(samples.map((sample, index) => [`p${index}`, sample]));
}

describe('a sample', () => {
  const zero: InboundCounters = { packetsReceived: 0, packetsLost: 0, samples: 0, samplesConcealed: 0, frozenS: 0 };

  test('adds up the tracks of a participant', () => {
    const voice = { ...zero, packetsReceived: 90, packetsLost: 10, samples: 96_000, samplesConcealed: 9_600 };
    const face = { ...zero, packetsReceived: 300, frozenS: 1 };
    const sample = sampleOf([{ before: zero, after: voice }, { before: zero, after: face }], 2);
    expect(sample).toEqual({ lossShare: 10 / 400, concealedShare: 0.1, frozenShare: 0.5 });
  });

  test('is none when nothing arrived', () => {
    expect(sampleOf([{ before: zero, after: { ...zero, packetsLost: 50 } }], 2)).toBeNull();
    expect(sampleOf([], 2)).toBeNull();
  });

  test('says nothing of the loss of a few packets', () => {
    expect(sampleOf([{ before: zero, after: { ...zero, packetsReceived: 4, packetsLost: 2 } }], 2)?.lossShare).toBe(0);
  });
});

describe('whose connection is slow', () => {
  test('nobody’s when all is well', () => {
    const judgement = judge(evidence({ samples: people(GOOD, GOOD), receive: { rttMs: 80 }, send: { rttMs: 80, availableBitrate: 2e6 } }));
    expect(judgement).toEqual({ own: null, participants: new Map() });
  });

  test('theirs when one of several suffers', () => {
    const judgement = judge(evidence({ samples: people(BAD, GOOD, GOOD) }));
    expect(judgement).toEqual({ own: null, participants: new Map([['p0', 'theirs']]) });
  });

  test('ours when most of several suffer', () => {
    const judgement = judge(evidence({ samples: people(BAD, BAD, GOOD) }));
    expect(judgement).toEqual({ own: 'connection', participants: new Map([['p0', 'own'], ['p1', 'own']]) });
  });

  test('either when the only one suffers', () => {
    expect(judge(evidence({ samples: people(BAD) }))).toEqual({ own: null, participants: new Map([['p0', 'either']]) });
  });

  test.each<[string, Partial<Evidence>]>([
    ['a picture is held back', { pictures: { heldBack: 1, reduced: 0, all: 3 } }],
    ['most pictures are reduced', { pictures: { heldBack: 0, reduced: 2, all: 3 } }],
    ['the only picture is reduced', { pictures: { heldBack: 0, reduced: 1, all: 1 } }],
    ['the server receives all that is lost', { uplinks: new Map([['p0', 10]]) }],
    ['what we send does not arrive at the server', { ownUplink: 4 }],
    ['the round trip is long', { receive: { rttMs: 500 } }],
    ['what we send is lost', { sentLossShare: 0.2 }],
    ['the browser can send little', { send: { limitedByBandwidth: true, availableBitrate: 200_000 } }],
  ])('ours when %s', (_, part) => {
    expect(judge(evidence({ samples: people(BAD), ...part }))).toEqual({
      own: 'connection',
      participants: new Map([['p0', 'own']]),
    });
  });

  test('theirs when the server says that they lose packets, also of the only one', () => {
    const judgement = judge(evidence({ samples: people(BAD), uplinks: new Map([['p0', 6]]) }));
    expect(judgement).toEqual({ own: null, participants: new Map([['p0', 'theirs']]) });
  });

  test('theirs for each of several who lose packets on the way to the server', () => {
    const uplinks = new Map([['p0', 4], ['p1', 1]]);
    const judgement = judge(evidence({ samples: people(BAD, BAD, GOOD), uplinks }));
    expect(judgement).toEqual({ own: null, participants: new Map([['p0', 'theirs'], ['p1', 'theirs']]) });
  });

  test('theirs and ours at the same time', () => {
    const uplinks = new Map([['p0', 4], ['p1', 10]]);
    const judgement = judge(evidence({ samples: people(BAD, BAD), uplinks }));
    expect(judgement).toEqual({ own: 'connection', participants: new Map([['p0', 'theirs'], ['p1', 'own']]) });
  });

  test.each<[string, Partial<Evidence>]>([
    ['the server receives most of it', { samples: people(BAD), uplinks: new Map([['p0', 8]]) }],
    [
      'sound is made up and nothing was lost',
      { samples: people({ ...GOOD, concealedShare: 0.1 }), uplinks: new Map([['p0', 10]]) },
    ],
  ])('either when the only one suffers and %s', (_, part) => {
    expect(judge(evidence(part))).toEqual({ own: null, participants: new Map([['p0', 'either']]) });
  });

  test('nobody’s when a loss on the way to the server was repaired', () => {
    const judgement = judge(evidence({ samples: people(GOOD), uplinks: new Map([['p0', 4]]) }));
    expect(judgement).toEqual({ own: null, participants: new Map() });
  });

  test.each<[string, Partial<Evidence>]>([
    ['half of the pictures are reduced', { pictures: { heldBack: 0, reduced: 1, all: 2 } }],
    ['some of what we send does not arrive', { ownUplink: 8 }],
    ['the encoder is limited by what the receivers want', { send: { limitedByBandwidth: true, availableBitrate: 3e6 } }],
  ])('not ours when %s', (_, part) => {
    expect(judge(evidence(part)).own).toBeNull();
  });

  test('a device that is too slow is named only if the connection is well', () => {
    const send = { limitedByCpu: true };
    expect(judge(evidence({ send })).own).toBe('device');
    expect(judge(evidence({ send, receive: { rttMs: 900 } })).own).toBe('connection');
  });
});

describe('a mark', () => {
  /** Feeds one judgement a second; returns the mark after the last. */
  function feed(mark: Mark<string>, causes: (string | null)[], fromMs = 0): Mark<string> {
    return causes.reduce((state, cause, index) => updateMark(state, cause, fromMs + index * 1_000), mark);
  }

  const seconds = (ms: number, cause: string | null) => Array.from({ length: ms / 1_000 }, () => cause);

  test('appears after a while of poor quality and not before', () => {
    const almost = feed(NO_MARK, seconds(MARK_AFTER_MS, 'own'));
    expect(almost.cause).toBeNull();
    expect(updateMark(almost, 'own', MARK_AFTER_MS).cause).toBe('own');
  });

  test('does not appear for interrupted trouble', () => {
    const causes = Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? null : 'own'));
    expect(feed(NO_MARK, causes).cause).toBeNull();
  });

  test('goes after a longer while of good quality', () => {
    const shown: Mark<string> = { cause: 'own', differsSinceMs: null };
    const almost = feed(shown, seconds(UNMARK_AFTER_MS, null));
    expect(almost.cause).toBe('own');
    expect(updateMark(almost, null, UNMARK_AFTER_MS).cause).toBeNull();
    expect(feed(shown, [null, null, 'own', null, null, null, null]).cause).toBe('own');
  });

  test('takes another cause at once', () => {
    expect(updateMark({ cause: 'own', differsSinceMs: null }, 'theirs', 0).cause).toBe('theirs');
  });
});

describe('what is bad', () => {
  test('is nothing when all is well', () => {
    const good = evidence({ samples: people(GOOD), uplinks: new Map([['p0', 10]]), ownUplink: 10, receive: { rttMs: 80 } });
    expect([symptomsOf(good, 'p0'), ownSymptoms(good)]).toEqual([[], []]);
  });

  test('of somebody is told with its share', () => {
    const bad = evidence({ samples: people({ ...BAD, frozenShare: 0.5 }), uplinks: new Map([['p0', 3]]) });
    expect(symptomsOf(bad, 'p0')).toEqual([
      { code: 'lost', share: 0.2 },
      { code: 'concealed', share: 0.1 },
      { code: 'frozen', share: 0.5 },
      { code: 'uplinkLost' },
    ]);
  });

  test('at our end is told with its measure', () => {
    const bad = evidence({
      pictures: { heldBack: 1, reduced: 2, all: 3 },
      receive: { rttMs: 500 },
      send: { rttMs: 90, availableBitrate: 100_000, limitedByBandwidth: true, limitedByCpu: true },
      sentLossShare: 0.2,
    });
    expect(ownSymptoms(bad)).toEqual([
      { code: 'heldBack' },
      { code: 'reduced' },
      { code: 'delayed', rttMs: 500 },
      { code: 'starved', bitrate: 100_000 },
      { code: 'sentLost' },
      { code: 'device' },
    ]);
  });
});
