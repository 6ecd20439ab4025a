import { describe, expect, test } from 'vitest';
import { sumReports } from './lineQuality';

describe('sumReports', () => {
  test('camera and microphone are added up, without retransmissions and concealed silence', () => {
    const video = {
      kind: 'video',
      framesDecoded: 240,
      frameHeight: 360,
      bytesReceived: 1_000,
      headerBytesReceived: 100,
      retransmittedBytesReceived: 50,
    };
    const audio = { kind: 'audio', concealedSamples: 500, silentConcealedSamples: 200, totalSamplesReceived: 9_000 };
    expect(sumReports([video, audio])).toEqual({
      framesDecoded: 240,
      height: 360,
      videoBytes: 1_050,
      concealed: 300,
      played: 9_000,
    });
  });

  test('nothing is received without receivers', () => {
    expect(sumReports([])).toEqual({ framesDecoded: 0, height: 0, videoBytes: 0, concealed: 0, played: 0 });
  });
});
