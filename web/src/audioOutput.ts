/**
 * The speaker (audio output) on which the page plays the others: which ones there are, and which is chosen. Playback
 * falls back to the default one while the chosen one is not available.
 */
import { batch, computed, signal } from '@preact/signals-core';

/** One available device; its label is empty until permission is granted. */
export interface DeviceOption {
  id: string;
  label: string;
}

/** Id under which Chromium lists the default device once more. */
const DEFAULT_ID = 'default';

export class AudioOutput {
  /** Speakers besides the default one; none where the browser does not let pages choose. */
  readonly outputs = signal<DeviceOption[]>([]);
  /** Id of the chosen speaker, available or not; empty for the default one. */
  readonly chosenId = signal('');
  /** Speaker on which playing failed although it is listed. */
  private readonly refusedId = signal('');
  /** Whether the chosen speaker was available at some time of this visit. */
  private readonly wasAvailable = signal(false);
  /** Id of the speaker that plays; empty for the default one. */
  readonly sinkId = computed(() => {
    const id = this.chosenId.value;
    return id !== this.refusedId.value && this.outputs.value.some((output) => output.id === id) ? id : '';
  });
  /**
   * Whether the default speaker plays in place of the chosen one. Before the person grants permission, browsers list
   * no speakers; that tells nothing about the chosen one.
   */
  readonly isReplaced = computed(() => {
    const isListed = this.outputs.value.length > 0 || this.wasAvailable.value;
    return this.chosenId.value !== '' && this.sinkId.value === '' && isListed;
  });

  constructor(chosenId: string) {
    this.chosenId.value = chosenId;
  }

  /** Whether the browser asks the person for a speaker, as Firefox does, which lists few by itself. */
  get canAsk(): boolean {
    return this.canChoose && typeof navigator.mediaDevices?.selectAudioOutput === 'function';
  }

  /** Takes the list of all devices, which has changed. */
  update(devices: readonly MediaDeviceInfo[]): void {
    const listed = devices.filter(({ kind, deviceId }) => kind === 'audiooutput' && deviceId !== '' && deviceId !== DEFAULT_ID);
    batch(() => {
      this.outputs.value = this.canChoose ? listed.map(({ deviceId, label }) => ({ id: deviceId, label })) : [];
      this.refusedId.value = '';
      this.recordAvailability();
    });
  }

  /** Chooses a speaker by its id; empty for the default one. */
  choose(id: string): void {
    batch(() => {
      this.chosenId.value = id;
      this.refusedId.value = '';
      this.wasAvailable.value = false;
      this.recordAvailability();
    });
  }

  /** Lets the person choose a speaker in a window of the browser. One who closes it keeps the present one. */
  async ask(): Promise<void> {
    const chosen = await navigator.mediaDevices.selectAudioOutput?.().catch(() => null);
    if (!chosen) return;
    batch(() => {
      const { deviceId, label } = chosen;
      const others = this.outputs.value.filter(({ id }) => id !== deviceId);
      if (deviceId !== '' && deviceId !== DEFAULT_ID) this.outputs.value = [...others, { id: deviceId, label }];
      this.choose(deviceId === DEFAULT_ID ? '' : deviceId);
    });
  }

  /** Plays an element on the chosen speaker, or on the default one if the browser refuses that. */
  async apply(element: HTMLMediaElement): Promise<void> {
    const id = this.sinkId.peek();
    if (!this.canChoose || element.sinkId === id) return;
    try {
      await element.setSinkId(id);
    } catch {
      // The element still plays on its former speaker, which may be gone; the change of `sinkId` applies the default.
      if (id) this.refusedId.value = id;
    }
  }

  private get canChoose(): boolean {
    return typeof HTMLMediaElement.prototype.setSinkId === 'function';
  }

  private recordAvailability(): void {
    if (this.sinkId.value !== '') this.wasAvailable.value = true;
  }
}

declare global {
  interface MediaDevices {
    /** Not in every browser. */
    selectAudioOutput?(options?: { deviceId?: string }): Promise<MediaDeviceInfo>;
  }
}
