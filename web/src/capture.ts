/**
 * The person's camera and microphone: selecting, starting and stopping them, and the
 * level of the microphone. The only file that touches getUserMedia and devices.
 * Sends nothing.
 */
import { batch, signal } from '@preact/signals';

export type Device = 'camera' | 'microphone';

/** Why a device could not be used; the page has a message for each. */
export type DeviceError = 'denied' | 'missing' | 'busy' | 'insecure' | 'failed';

/** The devices that failed in one attempt to open them, and why. */
export type DeviceFailures = Partial<Record<Device, DeviceError>>;

export interface CaptureOptions {
  camera: boolean;
  microphone: boolean;
  cameraId: string;
  microphoneId: string;
  /** Ideal picture width in pixels; the height follows as 16:9. */
  width: number;
}

const FRAME_RATE = 30;
/** Interval at which `level` is updated. */
const LEVEL_INTERVAL_MS = 50;

/** One available device; its label is empty until permission is granted. */
export interface DeviceOption {
  id: string;
  label: string;
}

export class Capture {
  /** The live camera track; null while the camera is off. */
  readonly camera = signal<MediaStreamTrack | null>(null);
  /** The microphone track, kept open while muted so that unmuting is instant. */
  readonly microphone = signal<MediaStreamTrack | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  readonly cameraError = signal<DeviceError | null>(null);
  readonly microphoneError = signal<DeviceError | null>(null);
  /** What failed last; replaced by each attempt that fails, also when it fails in the same way. */
  readonly failures = signal<DeviceFailures>({});
  readonly cameras = signal<DeviceOption[]>([]);
  readonly microphones = signal<DeviceOption[]>([]);
  readonly cameraId = signal('');
  readonly microphoneId = signal('');
  /** Loudness of the microphone, 0 to 1; 0 while muted. */
  readonly level = signal(0);
  /** Whether the browser is waiting for the person to grant permission. */
  readonly awaitingPermission = signal(false);

  /** Whether we are between `start` and `stop`; otherwise no track is kept. */
  private started = false;
  private meter: LevelMeter | null = null;
  private readonly width: number;
  private readonly onDeviceChange = () => void this.updateDeviceList();

  constructor(options: CaptureOptions) {
    this.width = options.width;
    this.cameraId.value = options.cameraId;
    this.microphoneId.value = options.microphoneId;
    this.cameraOn.value = options.camera;
    this.microphoneOn.value = options.microphone;
  }

  /** Opens the devices that are switched on. One that fails is switched off and its error set. */
  async start(): Promise<void> {
    this.started = true;
    navigator.mediaDevices?.addEventListener('devicechange', this.onDeviceChange);
    const wanted = DEVICES.filter((device) => this.on(device).value && !this.track(device).value);
    if (wanted.length > 0) {
      this.awaitingPermission.value = true;
      await this.acquire(wanted);
      this.awaitingPermission.value = false;
      this.reportFailures(wanted);
    }
    await this.updateDeviceList();
  }

  /** Releases both devices; their lights go off. */
  stop(): void {
    this.started = false;
    navigator.mediaDevices?.removeEventListener('devicechange', this.onDeviceChange);
    for (const device of DEVICES) this.release(device);
  }

  /** Switches a device on or off. Off releases the camera; the microphone is only disabled. */
  async toggle(device: Device): Promise<void> {
    const on = !this.on(device).value;
    const track = this.track(device).value;
    if (device === 'camera' && !on) this.release(device);
    if (device === 'microphone' && track) track.enabled = on;
    this.on(device).value = on;
    if (on && !this.track(device).value) {
      await this.acquire([device]);
      this.reportFailures([device]);
      await this.updateDeviceList();
    }
  }

  /** Switches the device off if it is on. */
  switchOff(device: Device): void {
    if (this.on(device).value) void this.toggle(device);
  }

  /** Selects a device by id; an open device is replaced at once. */
  async selectDevice(device: Device, id: string): Promise<void> {
    (device === 'camera' ? this.cameraId : this.microphoneId).value = id;
    if (!this.track(device).value) return;
    this.release(device);
    await this.acquire([device]);
    this.reportFailures([device]);
  }

  private async acquire(wanted: Device[]): Promise<void> {
    const outcome = await this.openStream(wanted);
    if (outcome instanceof MediaStream) {
      this.adoptTracks(outcome);
      return;
    }
    // One missing or busy device must not prevent the other: open each alone.
    if (wanted.length > 1 && outcome !== 'denied' && outcome !== 'insecure') {
      for (const device of wanted) await this.acquire([device]);
      return;
    }
    batch(() => {
      for (const device of wanted) {
        this.error(device).value = outcome;
        this.on(device).value = false;
      }
    });
  }

  /** Reports those of these devices that are off because they failed. */
  private reportFailures(devices: Device[]): void {
    const failed = devices.filter((device) => !this.on(device).value && this.error(device).value);
    if (failed.length === 0) return;
    this.failures.value = Object.fromEntries(failed.map((device) => [device, this.error(device).value]));
  }

  private async openStream(wanted: Device[]): Promise<MediaStream | DeviceError> {
    if (!navigator.mediaDevices?.getUserMedia) return 'insecure';
    try {
      return await navigator.mediaDevices.getUserMedia(this.constraints(wanted, true));
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'OverconstrainedError') return deviceErrorOf(error);
    }
    // The saved device is unplugged, or a phone refuses the size: accept any.
    try {
      return await navigator.mediaDevices.getUserMedia(this.constraints(wanted, false));
    } catch (error) {
      return deviceErrorOf(error);
    }
  }

  private constraints(wanted: Device[], chosen: boolean): MediaStreamConstraints {
    const deviceId = (value: string) => (chosen && value ? { deviceId: { exact: value } } : {});
    return {
      video: wanted.includes('camera') && {
        ...deviceId(this.cameraId.value),
        width: { ideal: this.width },
        height: { ideal: Math.round((this.width * 9) / 16) },
        frameRate: { ideal: FRAME_RATE },
      },
      audio: wanted.includes('microphone') && {
        ...deviceId(this.microphoneId.value),
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
      },
    };
  }

  private adoptTracks(stream: MediaStream): void {
    batch(() => {
      for (const track of stream.getTracks()) {
        const device = track.kind === 'video' ? 'camera' : 'microphone';
        // The person may have switched it off, or left, before granting permission.
        if (!this.started || (device === 'camera' && !this.cameraOn.value)) {
          track.stop();
          continue;
        }
        this.release(device);
        track.enabled = this.on(device).value;
        track.addEventListener('ended', () => this.handleTrackEnded(device, track));
        this.track(device).value = track;
        this.error(device).value = null;
        const id = track.getSettings().deviceId;
        if (id) (device === 'camera' ? this.cameraId : this.microphoneId).value = id;
        if (device === 'microphone') this.meter = new LevelMeter(track, (level) => (this.level.value = level));
      }
    });
  }

  private handleTrackEnded(device: Device, track: MediaStreamTrack): void {
    if (this.track(device).value !== track) return;
    batch(() => {
      this.release(device);
      this.on(device).value = false;
      this.error(device).value = 'missing';
    });
    this.reportFailures([device]);
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

  private async updateDeviceList(): Promise<void> {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const options = (kind: MediaDeviceKind) =>
      all
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    batch(() => {
      this.cameras.value = options('videoinput');
      this.microphones.value = options('audioinput');
    });
  }

  private track(device: Device) {
    return device === 'camera' ? this.camera : this.microphone;
  }

  private on(device: Device) {
    return device === 'camera' ? this.cameraOn : this.microphoneOn;
  }

  private error(device: Device) {
    return device === 'camera' ? this.cameraError : this.microphoneError;
  }
}

const DEVICES: Device[] = ['camera', 'microphone'];

function deviceErrorOf(error: unknown): DeviceError {
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

/** Measures a microphone's level. Browsers may report silence until the person interacts with the page. */
class LevelMeter {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples: Float32Array<ArrayBuffer>;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly resumeContext = () => void this.context.resume();

  constructor(track: MediaStreamTrack, report: (level: number) => void) {
    this.analyser.fftSize = 512;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
    this.timer = setInterval(() => report(track.enabled ? this.readLevel() : 0), LEVEL_INTERVAL_MS);
    addEventListener('pointerdown', this.resumeContext);
    addEventListener('keydown', this.resumeContext);
  }

  close(): void {
    clearInterval(this.timer);
    removeEventListener('pointerdown', this.resumeContext);
    removeEventListener('keydown', this.resumeContext);
    void this.context.close();
  }

  /** Returns the root mean square in decibels, scaled so that −60 dB is 0 and 0 dB is 1. */
  private readLevel(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / this.samples.length + 1e-12);
    return Math.min(1, Math.max(0, (decibels + 60) / 60));
  }
}
