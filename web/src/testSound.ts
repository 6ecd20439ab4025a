/** Sounds made in code: one to hear whether a speaker works, and a tone to test the connection with. */
import { within } from './timeLimit';

/** Frequencies of its notes in hertz, an upward fifth: small speakers play them too. */
const NOTES_HZ = [523, 784];
const NOTE_S = 0.45;
/** Loudness of a voice in a call; 1 is the loudest possible. */
const GAIN = 0.25;
/** Time after which a sound that has not ended counts as failed: without any output, its clock stands still. */
const END_MS_MAX = 4_000;

/** Plays the sound on the speaker that `apply` gives its element. Resolves at its end, and rejects if it cannot be played. */
export async function playTestSound(apply: (element: HTMLMediaElement) => Promise<void>): Promise<void> {
  const context = new AudioContext();
  // An element, because not every browser can choose the speaker of an `AudioContext`.
  const element = new Audio();
  try {
    const output = context.createMediaStreamDestination();
    element.srcObject = output.stream;
    await apply(element);
    await Promise.all([within(END_MS_MAX, context.resume()), element.play()]);
    await within(END_MS_MAX, playNotes(context, output));
  } finally {
    element.srcObject = null;
    await context.close();
  }
}

function playNotes(context: AudioContext, output: AudioNode): Promise<void> {
  const notes = NOTES_HZ.map((frequency, index) => {
    const [oscillator, gain] = [context.createOscillator(), context.createGain()];
    const start = context.currentTime + index * NOTE_S;
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(GAIN, start);
    // Fades out, so that the end of a note does not click.
    gain.gain.linearRampToValueAtTime(0, start + NOTE_S);
    oscillator.connect(gain).connect(output);
    oscillator.start(start);
    oscillator.stop(start + NOTE_S);
    return new Promise<void>((resolve) => (oscillator.onended = () => resolve()));
  });
  return Promise.all(notes).then(() => undefined);
}

/** Creates a tone to send, which is not played here. */
export function createTone(): { track: MediaStreamTrack; stop(): void } {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  const oscillator = context.createOscillator();
  oscillator.connect(output);
  oscillator.start();
  const [track] = output.stream.getAudioTracks();
  if (!track) throw new Error('no track of the tone');
  return { track, stop: () => void context.close() };
}
