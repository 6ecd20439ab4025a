/**
 * Judges what a microphone delivers: nothing at all although it is on, or speech while it is muted. Pure: the caller
 * passes one sample every `SAMPLE_MS`.
 */
import { SAMPLE_MS, type MicrophoneSample } from './microphoneMeter';

/** Nothing comes from an open microphone, or the person talks while it is muted. */
export type MicrophoneProblem = 'silent' | 'talkingMuted';

export interface WatchedSample extends MicrophoneSample {
  /** Whether the microphone is on. */
  on: boolean;
  /** Whether the system or the device has cut the sound off. */
  cut: boolean;
}

/**
 * A microphone that works has given some noise within this time. Programs that remove noise may stay silent later. One
 * that needs longer, as a headset that is just being connected, is told as silent for a moment.
 */
const SILENT_SAMPLES = 2_500 / SAMPLE_MS;
/** A device that changes hands is cut off for a moment. */
const CUT_SAMPLES = 2_000 / SAMPLE_MS;
/** Loudness of speech; typing and a fan are below. */
const SPEECH_LEVEL_MIN = 0.42;
/** Speech counts when it fills most of two seconds: a cough and a door do not. */
const SPEECH_WINDOW = 2_000 / SAMPLE_MS;
const SPEECH_SHARE_MIN = 0.55;
/** How long the person stays told after the last speech. */
const TOLD_SAMPLES = 6_000 / SAMPLE_MS;

export class MicrophoneWatch {
  /** Samples without any signal since the microphone was opened; stops counting at the first signal. */
  private silentSamples = 0;
  private hadSignal = false;
  private cutSamples = 0;
  /** Which of the latest samples while muted were speech, oldest first. */
  private speech: boolean[] = [];
  private toldSamples = 0;

  /** Takes the next sample, and returns what is wrong. */
  update({ level, hasSignal, on, cut }: WatchedSample): MicrophoneProblem | null {
    this.hadSignal ||= hasSignal;
    this.cutSamples = cut ? this.cutSamples + 1 : 0;
    this.silentSamples = this.hadSignal ? 0 : this.silentSamples + 1;
    if (on) {
      this.speech = [];
      this.toldSamples = 0;
      return this.silentSamples >= SILENT_SAMPLES || this.cutSamples >= CUT_SAMPLES ? 'silent' : null;
    }
    return this.isTalking(level) ? 'talkingMuted' : null;
  }

  private isTalking(level: number): boolean {
    this.speech = [...this.speech, level >= SPEECH_LEVEL_MIN].slice(-SPEECH_WINDOW);
    const share = this.speech.filter(Boolean).length / SPEECH_WINDOW;
    if (share >= SPEECH_SHARE_MIN) this.toldSamples = TOLD_SAMPLES;
    else this.toldSamples = Math.max(0, this.toldSamples - 1);
    return this.toldSamples > 0;
  }
}
