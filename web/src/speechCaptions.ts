/**
 * Captions of the own voice by the browser's speech recognition, which listens to the microphone that the browser has
 * chosen. Runs while the microphone is on; recognition that the browser ends is started again.
 */
import { signal } from '@preact/signals-core';

/** Why captions of the own voice stopped. */
export type SpeechProblem = 'denied' | 'failed';

/** Shortest time between captions whose words may still change, in ms. The server takes five captions in a second. */
const INTERIM_MS = 400;
/** Time after which recognition that has ended is started again: none of it may end at once for ever. */
const RESTART_MS = 300;

/** The Web Speech API, as far as it is needed. */
export interface Recognition {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  onresult: ((event: RecognitionEvent) => void) | null;
  onerror: ((event: { error: string }) => void) | null;
  onend: (() => void) | null;
  start(): void;
  abort(): void;
}

interface RecognitionEvent {
  resultIndex: number;
  results: ArrayLike<ArrayLike<{ transcript: string }> & { isFinal: boolean }>;
}

type RecognitionConstructor = new () => Recognition;

/** Returns the browser's speech recognition; null where it has none. */
export function findRecognition(): RecognitionConstructor | null {
  const { SpeechRecognition, webkitSpeechRecognition } = globalThis as Record<string, unknown>;
  return (SpeechRecognition ?? webkitSpeechRecognition ?? null) as RecognitionConstructor | null;
}

export class SpeechCaptions {
  /** Whether the person wants captions of their voice. */
  readonly on = signal(false);
  readonly problem = signal<SpeechProblem | null>(null);
  private microphoneLive = false;
  private recognition: Recognition | null = null;
  private restartTimer: ReturnType<typeof setTimeout> | undefined;
  private lastSentMs = 0;

  constructor(
    private readonly create: RecognitionConstructor,
    private readonly language: string,
    private readonly send: (text: string, isFinal: boolean) => void,
  ) {}

  start(): void {
    this.problem.value = null;
    this.on.value = true;
    this.sync();
  }

  stop(): void {
    this.on.value = false;
    this.sync();
  }

  /** Recognition listens only while the others hear us. */
  setMicrophoneLive(live: boolean): void {
    this.microphoneLive = live;
    this.sync();
  }

  private sync(): void {
    const wanted = this.on.value && this.microphoneLive;
    if (wanted === (this.recognition !== null)) return;
    clearTimeout(this.restartTimer);
    if (wanted) return this.listen();
    const former = this.recognition;
    this.recognition = null;
    former?.abort();
  }

  private listen(): void {
    const recognition = new this.create();
    this.recognition = recognition;
    recognition.lang = this.language;
    recognition.continuous = true;
    recognition.interimResults = true;
    recognition.onresult = (event) => this.handleResult(recognition, event);
    recognition.onerror = ({ error }) => this.handleError(recognition, error);
    recognition.onend = () => {
      if (recognition === this.recognition) this.restartTimer = setTimeout(() => this.listen(), RESTART_MS);
    };
    recognition.start();
  }

  private handleResult(recognition: Recognition, { resultIndex, results }: RecognitionEvent): void {
    if (recognition !== this.recognition) return;
    for (let index = resultIndex; index < results.length; index += 1) {
      const result = results[index];
      const text = result?.[0]?.transcript.trim();
      if (!result || !text) continue;
      const now = performance.now();
      if (!result.isFinal && now - this.lastSentMs < INTERIM_MS) continue;
      this.lastSentMs = now;
      this.send(text, result.isFinal);
    }
  }

  private handleError(recognition: Recognition, error: string): void {
    // Silence ends recognition; it is started again.
    if (recognition !== this.recognition || error === 'no-speech' || error === 'aborted') return;
    this.problem.value = error === 'not-allowed' ? 'denied' : 'failed';
    this.stop();
  }
}
