/** Measures the sound of a microphone. Browsers may report silence until the person interacts with the page. */

/** Interval of samples. */
export const SAMPLE_MS = 50;

/** Most time for which missed samples are made up; after a longer pause the page was asleep. */
const MISSED_MS_MAX = 1_500;

/** Sound of a microphone at one instant. */
export interface MicrophoneSample {
  /** Loudness, 0 to 1, also while the track is disabled. */
  level: number;
  /** Whether there is any signal at all; the weakest noise counts. */
  hasSignal: boolean;
}

export class MicrophoneMeter {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples: Float32Array<ArrayBuffer>;
  private readonly timer: ReturnType<typeof setInterval>;
  /** Time up to which samples were reported. */
  private reportedMs = performance.now();
  /** The same microphone, never disabled: so that somebody who talks while muted can be told. It is not sent. */
  private readonly tap: MediaStreamTrack;
  private readonly resumeContext = () => void this.context.resume();

  constructor(track: MediaStreamTrack, report: (sample: MicrophoneSample) => void) {
    this.tap = track.clone();
    this.tap.enabled = true;
    this.analyser.fftSize = 512;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(new MediaStream([this.tap])).connect(this.analyser);
    this.timer = setInterval(() => {
      const now = performance.now();
      this.reportedMs = Math.max(this.reportedMs, now - MISSED_MS_MAX);
      // Browsers run timers late in hidden tabs and on busy machines. The number of samples must still measure time.
      for (; this.reportedMs + SAMPLE_MS <= now; this.reportedMs += SAMPLE_MS) {
        // Nothing is measured before.
        if (this.context.state === 'running') report(this.read());
      }
    }, SAMPLE_MS);
    addEventListener('pointerdown', this.resumeContext);
    addEventListener('keydown', this.resumeContext);
  }

  close(): void {
    clearInterval(this.timer);
    removeEventListener('pointerdown', this.resumeContext);
    removeEventListener('keydown', this.resumeContext);
    this.tap.stop();
    void this.context.close();
  }

  /** Returns the root mean square in decibels, scaled so that −60 dB is 0 and 0 dB is 1. */
  private read(): MicrophoneSample {
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / this.samples.length + 1e-12);
    return { level: Math.min(1, Math.max(0, (decibels + 60) / 60)), hasSignal: sum > 0 };
  }
}
