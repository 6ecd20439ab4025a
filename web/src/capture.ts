/**
 * The viewer's own camera and microphone: choosing, starting, stopping, and how
 * loud the microphone is. The only file that touches getUserMedia and devices.
 * It never sends anything anywhere.
 */
import { batch, signal } from '@preact/signals';

export type Device = 'camera' | 'microphone';

/** Why a device is not there; the page has a sentence for each. */
export type Trouble = 'denied' | 'missing' | 'busy' | 'insecure' | 'failed';

export interface CaptureOptions {
  camera: boolean;
  microphone: boolean;
  cameraId: string;
  microphoneId: string;
  /** Picture width asked of the camera; its height follows as 16:9. */
  width: number;
}

const FRAME_RATE = 30;
/** How often the level meter moves. */
const LEVEL_MS = 50;

/** Which devices of a kind there are; labels stay empty until permission is given. */
export interface Choice {
  id: string;
  label: string;
}

export class Capture {
  /** The live camera picture, or nothing while the camera is off. */
  readonly camera = signal<MediaStreamTrack | null>(null);
  /** The microphone, kept open while muted so that unmuting is instant. */
  readonly microphone = signal<MediaStreamTrack | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  readonly cameraTrouble = signal<Trouble | null>(null);
  readonly microphoneTrouble = signal<Trouble | null>(null);
  readonly cameras = signal<Choice[]>([]);
  readonly microphones = signal<Choice[]>([]);
  readonly cameraId = signal('');
  readonly microphoneId = signal('');
  /** Loudness of the microphone, 0 to 1; 0 while muted. */
  readonly level = signal(0);
  /** Whether the browser is asking the person for permission. */
  readonly asking = signal(false);

  /** Between `start` and `stop`; outside of that nothing is opened, or kept. */
  private open = false;
  private meter: Meter | null = null;
  private readonly width: number;
  private readonly onDevices = () => void this.list();

  constructor(options: CaptureOptions) {
    this.width = options.width;
    this.cameraId.value = options.cameraId;
    this.microphoneId.value = options.microphoneId;
    this.cameraOn.value = options.camera;
    this.microphoneOn.value = options.microphone;
  }

  /** Opens what is switched on. What cannot be opened is switched off, with its trouble said. */
  async start(): Promise<void> {
    this.open = true;
    navigator.mediaDevices?.addEventListener('devicechange', this.onDevices);
    const wanted = devices.filter((device) => this.on(device).value && !this.track(device).value);
    if (wanted.length > 0) {
      this.asking.value = true;
      await this.acquire(wanted);
      this.asking.value = false;
    }
    await this.list();
  }

  /** Lets go of both devices; their lights go out. */
  stop(): void {
    this.open = false;
    navigator.mediaDevices?.removeEventListener('devicechange', this.onDevices);
    for (const device of devices) this.release(device);
  }

  /** The camera's light goes out when it is off; the microphone is only silenced. */
  async toggle(device: Device): Promise<void> {
    const on = !this.on(device).value;
    const track = this.track(device).value;
    if (device === 'camera' && !on) this.release(device);
    if (device === 'microphone' && track) track.enabled = on;
    this.on(device).value = on;
    if (on && !this.track(device).value) {
      await this.acquire([device]);
      await this.list();
    }
  }

  /** Switches it off, if it is on. */
  silence(device: Device): void {
    if (this.on(device).value) void this.toggle(device);
  }

  /** Changes to another camera or microphone; at once when the present one is in use. */
  async choose(device: Device, id: string): Promise<void> {
    (device === 'camera' ? this.cameraId : this.microphoneId).value = id;
    if (!this.track(device).value) return;
    this.release(device);
    await this.acquire([device]);
  }

  private async acquire(wanted: Device[]): Promise<void> {
    const outcome = await this.ask(wanted);
    if (outcome instanceof MediaStream) {
      this.adopt(outcome);
      return;
    }
    // One missing or busy device must not cost the other: ask for each alone.
    if (wanted.length > 1 && outcome !== 'denied' && outcome !== 'insecure') {
      for (const device of wanted) await this.acquire([device]);
      return;
    }
    batch(() => {
      for (const device of wanted) {
        this.trouble(device).value = outcome;
        this.on(device).value = false;
      }
    });
  }

  private async ask(wanted: Device[]): Promise<MediaStream | Trouble> {
    if (!navigator.mediaDevices?.getUserMedia) return 'insecure';
    try {
      return await navigator.mediaDevices.getUserMedia(this.constraints(wanted, true));
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'OverconstrainedError') return troubleOf(error);
    }
    // The remembered device is unplugged, or a phone refuses the size: take what there is.
    try {
      return await navigator.mediaDevices.getUserMedia(this.constraints(wanted, false));
    } catch (error) {
      return troubleOf(error);
    }
  }

  private constraints(wanted: Device[], chosen: boolean): MediaStreamConstraints {
    const id = (value: string) => (chosen && value ? { deviceId: { exact: value } } : {});
    return {
      video: wanted.includes('camera') && {
        ...id(this.cameraId.value),
        width: { ideal: this.width },
        height: { ideal: Math.round((this.width * 9) / 16) },
        frameRate: { ideal: FRAME_RATE },
      },
      audio: wanted.includes('microphone') && {
        ...id(this.microphoneId.value),
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
      },
    };
  }

  private adopt(stream: MediaStream): void {
    batch(() => {
      for (const track of stream.getTracks()) {
        const device = track.kind === 'video' ? 'camera' : 'microphone';
        // The person may have switched it off, or gone, while the browser was asking.
        if (!this.open || (device === 'camera' && !this.cameraOn.value)) {
          track.stop();
          continue;
        }
        this.release(device);
        track.enabled = this.on(device).value;
        track.addEventListener('ended', () => this.unplugged(device, track));
        this.track(device).value = track;
        this.trouble(device).value = null;
        const id = track.getSettings().deviceId;
        if (id) (device === 'camera' ? this.cameraId : this.microphoneId).value = id;
        if (device === 'microphone') this.meter = new Meter(track, (level) => (this.level.value = level));
      }
    });
  }

  private unplugged(device: Device, track: MediaStreamTrack): void {
    if (this.track(device).value !== track) return;
    batch(() => {
      this.release(device);
      this.on(device).value = false;
      this.trouble(device).value = 'missing';
    });
  }

  private release(device: Device): void {
    const track = this.track(device).value;
    if (!track) return;
    track.stop();
    this.track(device).value = null;
    if (device === 'microphone') {
      this.meter?.close();
      this.meter = null;
      this.level.value = 0;
    }
  }

  private async list(): Promise<void> {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const of = (kind: MediaDeviceKind) =>
      all
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    batch(() => {
      this.cameras.value = of('videoinput');
      this.microphones.value = of('audioinput');
    });
  }

  private track(device: Device) {
    return device === 'camera' ? this.camera : this.microphone;
  }

  private on(device: Device) {
    return device === 'camera' ? this.cameraOn : this.microphoneOn;
  }

  private trouble(device: Device) {
    return device === 'camera' ? this.cameraTrouble : this.microphoneTrouble;
  }
}

const devices: Device[] = ['camera', 'microphone'];

function troubleOf(error: unknown): Trouble {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'SecurityError':
      return 'insecure';
    default:
      return 'failed';
  }
}

/** Measures one microphone's loudness. Browsers may hold it silent until the person first touches the page. */
class Meter {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples: Float32Array<ArrayBuffer>;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly wake = () => void this.context.resume();

  constructor(track: MediaStreamTrack, report: (level: number) => void) {
    this.analyser.fftSize = 512;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
    this.timer = setInterval(() => report(track.enabled ? this.read() : 0), LEVEL_MS);
    addEventListener('pointerdown', this.wake);
    addEventListener('keydown', this.wake);
  }

  close(): void {
    clearInterval(this.timer);
    removeEventListener('pointerdown', this.wake);
    removeEventListener('keydown', this.wake);
    void this.context.close();
  }

  /** Root mean square on a scale where −60 dB is 0 and 0 dB is 1, as ears hear it. */
  private read(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / this.samples.length + 1e-12);
    return Math.min(1, Math.max(0, (decibels + 60) / 60));
  }
}
