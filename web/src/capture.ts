/**
 * The person's camera and microphone: selecting, starting and stopping them, and the
 * level of the microphone. The only file that touches getUserMedia and the list of devices.
 * Sends nothing.
 */
import { batch, signal, type Signal } from '@preact/signals-core';
import { AudioOutput, type DeviceOption } from './audioOutput';
import { heightOf, largestWidth, type CameraQuality } from './cameraQuality';
import { MicrophoneMeter } from './microphoneMeter';
import { MicrophoneWatch, type MicrophoneProblem } from './microphoneWatch';
import type { DeviceState } from './protocol';
import type { Devices } from './qualityReporter';

export type Device = 'camera' | 'microphone';

/** Why a device could not be used; the page has a message for each. */
export type DeviceError = 'denied' | 'system' | 'missing' | 'unplugged' | 'busy' | 'insecure' | 'failed';

export interface CaptureOptions {
  camera: boolean;
  microphone: boolean;
  cameraId: string;
  microphoneId: string;
  speakerId: string;
  quality: CameraQuality;
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
  /** How often a device has failed, so that the same failure is told again. */
  readonly failureCount = signal(0);
  readonly cameras = signal<DeviceOption[]>([]);
  readonly microphones = signal<DeviceOption[]>([]);
  readonly cameraId = signal('');
  readonly microphoneId = signal('');
  readonly quality: Signal<CameraQuality>;
  /** Width of the largest picture of the camera that was opened last; null where the browser does not tell it. */
  readonly cameraWidthMax = signal<number | null>(null);
  readonly output: AudioOutput;
  /** Loudness of the microphone, 0 to 1; 0 while muted. */
  readonly level = signal(0);
  /** Whether nothing comes from an open microphone, or the person talks while it is muted; null when all is well. */
  readonly microphoneProblem = signal<MicrophoneProblem | null>(null);
  /** How often that has arisen. */
  readonly microphoneProblemCount = signal(0);
  /** Whether the browser is waiting for the person to grant permission. */
  readonly awaitingPermission = signal(false);

  /** Whether we are between `start` and `stop`; otherwise no track is kept. */
  private started = false;
  private meter: MicrophoneMeter | null = null;
  /** The latest opening of a device in place of one that is open; the next waits for its end. */
  private reopening: Promise<void> = Promise.resolve();

  constructor(options: CaptureOptions) {
    this.quality = signal(options.quality);
    this.output = new AudioOutput(options.speakerId);
    this.cameraId.value = options.cameraId;
    this.microphoneId.value = options.microphoneId;
    this.cameraOn.value = options.camera;
    this.microphoneOn.value = options.microphone;
    // Also while nothing is captured: a viewer may unplug the speaker.
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.updateDeviceList());
  }

  /** Opens the devices that are switched on. One that fails is switched off and its error set. */
  async start(): Promise<void> {
    this.started = true;
    const wanted = DEVICES.filter((device) => this.on(device).value && !this.track(device).value);
    if (wanted.length > 0) {
      this.awaitingPermission.value = true;
      await this.acquire(wanted);
      this.awaitingPermission.value = false;
    }
    await this.updateDeviceList();
  }

  /** Releases both devices; their lights go off. */
  stop(): void {
    this.started = false;
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
      await this.updateDeviceList();
    }
  }

  /** Returns the state of both devices, for the history of calls. */
  states(): Devices {
    const problem = this.microphoneProblem.value;
    const opened = (device: Device): DeviceState => {
      if (isBroken(this.error(device).value)) return 'failed';
      return this.on(device).value && this.track(device).value ? 'working' : 'off';
    };
    const microphone = opened('microphone');
    if (microphone === 'failed' || !problem) return { microphone, camera: opened('camera') };
    return { microphone: problem === 'silent' ? 'silent' : 'talking-muted', camera: opened('camera') };
  }

  /** Switches those devices on that failed. */
  async retry(): Promise<void> {
    const failed = DEVICES.filter((device) => this.error(device).value && !this.track(device).value);
    batch(() => {
      for (const device of failed) {
        this.on(device).value = true;
        this.error(device).value = null;
      }
    });
    await this.acquire(failed);
    await this.updateDeviceList();
  }

  /** Switches the device off if it is on. */
  switchOff(device: Device): void {
    if (this.on(device).value) void this.toggle(device);
  }

  /** Selects a device by id; an open device is replaced at once. */
  async selectDevice(device: Device, id: string): Promise<void> {
    (device === 'camera' ? this.cameraId : this.microphoneId).value = id;
    await this.reopen(device);
  }

  /** Sets resolution and frame rate of the camera; an open one is opened again with them. */
  async setQuality(quality: CameraQuality): Promise<void> {
    this.quality.value = quality;
    await this.reopen('camera');
  }

  /** Opens a device again that is open. Its last picture stays meanwhile, so that nobody sees it go off. */
  private async reopen(device: Device): Promise<void> {
    this.reopening = this.reopening.then(async () => {
      const track = this.track(device).value;
      if (!track) return;
      // Many cameras can be opened once only.
      track.stop();
      await this.acquire([device]);
    });
    await this.reopening;
  }

  private async acquire(wanted: Device[]): Promise<void> {
    const outcome = await this.openStream(wanted);
    if (outcome instanceof MediaStream) {
      this.adoptTracks(outcome);
      return;
    }
    // One missing or busy device must not prevent the other: open each alone.
    if (wanted.length > 1 && outcome !== 'denied' && outcome !== 'system' && outcome !== 'insecure') {
      for (const device of wanted) await this.acquire([device]);
      return;
    }
    batch(() => {
      this.failureCount.value += 1;
      for (const device of wanted) {
        this.release(device);
        this.error(device).value = outcome;
        this.on(device).value = false;
      }
    });
  }

  private async openStream(wanted: Device[]): Promise<MediaStream | DeviceError> {
    if (!navigator.mediaDevices?.getUserMedia) return 'insecure';
    const errorOf = async (error: unknown): Promise<DeviceError> => {
      const states = await Promise.all(wanted.map(permissionOf));
      return deviceErrorOf(error, states.every((state) => state === 'granted'));
    };
    try {
      return await navigator.mediaDevices.getUserMedia(this.constraints(wanted, true));
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'OverconstrainedError') return errorOf(error);
    }
    // The saved device is unplugged, or a phone refuses the size: accept any.
    try {
      return await navigator.mediaDevices.getUserMedia(this.constraints(wanted, false));
    } catch (error) {
      return errorOf(error);
    }
  }

  private constraints(wanted: Device[], chosen: boolean): MediaStreamConstraints {
    const { width, frameRate } = this.quality.value;
    const deviceId = (value: string) => (chosen && value ? { deviceId: { exact: value } } : {});
    return {
      video: wanted.includes('camera') && {
        ...deviceId(this.cameraId.value),
        width: { ideal: width },
        height: { ideal: heightOf(width) },
        frameRate: { ideal: frameRate },
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
        track.addEventListener('ended', () => void this.handleTrackEnded(device, track));
        this.track(device).value = track;
        this.error(device).value = null;
        const id = track.getSettings().deviceId;
        if (id) (device === 'camera' ? this.cameraId : this.microphoneId).value = id;
        if (device === 'microphone') this.meter = this.measure(track);
        else this.cameraWidthMax.value = largestWidth(track);
      }
    });
  }

  /** Shows the level of a microphone, and what is wrong with it. */
  private measure(track: MediaStreamTrack): MicrophoneMeter {
    const watch = new MicrophoneWatch();
    return new MicrophoneMeter(track, (sample) => {
      batch(() => {
        this.level.value = track.enabled ? sample.level : 0;
        const problem = watch.update({ ...sample, on: track.enabled, cut: track.muted });
        if (problem && problem !== this.microphoneProblem.value) this.microphoneProblemCount.value += 1;
        this.microphoneProblem.value = problem;
      });
    });
  }

  /** The device was unplugged, or the person has withdrawn the permission. */
  private async handleTrackEnded(device: Device, track: MediaStreamTrack): Promise<void> {
    if (this.track(device).value !== track) return;
    batch(() => {
      this.release(device);
      this.on(device).value = false;
      this.error(device).value = 'unplugged';
      this.failureCount.value += 1;
    });
    if ((await permissionOf(device)) === 'denied') this.error(device).value = 'denied';
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
      this.microphoneProblem.value = null;
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
      this.output.update(all);
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

/**
 * Returns why a device could not be opened. `isGranted` says that the person has allowed it to the page: then it is the
 * system that refuses. Chromium says so in the message too.
 */
export function deviceErrorOf(error: unknown, isGranted: boolean): DeviceError {
  const { name, message } = error instanceof DOMException ? error : { name: '', message: '' };
  switch (name) {
    case 'NotAllowedError':
      return isGranted || /system/i.test(message) ? 'system' : 'denied';
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

/** Returns whether the page may use a device; `prompt` where the browser does not tell. */
async function permissionOf(device: Device): Promise<PermissionState> {
  try {
    return (await navigator.permissions.query({ name: device as PermissionName })).state;
  } catch {
    return 'prompt';
  }
}

/** Whether a device does not work. One that a person does not have, or does not allow, is theirs to decide. */
function isBroken(error: DeviceError | null): boolean {
  return error === 'unplugged' || error === 'busy' || error === 'failed' || error === 'system';
}
