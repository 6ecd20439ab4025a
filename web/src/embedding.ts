/**
 * The page in a frame of another site: takes commands from the page around it and tells that page what happens, by
 * `postMessage`. Loaded only where the address names the site. The server lets browsers show the page in frames of the
 * configured sites only (`frame-ancestors`); messages of any other origin are ignored. `docs/embedding.md` describes
 * the messages.
 */
import { effect, untracked } from '@preact/signals-core';
import type { App } from './app';
import type { Device } from './capture';
import type { RemovalReason } from './protocol';
import type { Room } from './room';

/** Version of the messages, which each of them carries. */
const VERSION = 1;

const COMMANDS = ['join', 'mute', 'unmute', 'startCamera', 'stopCamera', 'startShare', 'stopShare', 'hangUp'] as const;
type CommandName = (typeof COMMANDS)[number];

interface Command {
  command: CommandName;
  /** The person's name, for `join`. */
  name?: string;
}

interface EmbeddedParticipant {
  id: string;
  name: string;
  microphone: boolean;
  camera: boolean;
  screens: number;
}

export type EmbeddingEvent =
  | { event: 'ready'; room: string }
  | { event: 'joined'; room: string; id: string }
  | { event: 'left'; reason: 'left' | RemovalReason | string }
  /** All others. */
  | { event: 'participants'; participants: EmbeddedParticipant[] }
  /** Whether the microphone and the camera are on, and how many screens are shared. */
  | { event: 'media'; microphone: boolean; camera: boolean; screens: number }
  | { event: 'error'; code: string; message: string };

/** Parts of the page that are commanded and observed. */
export type EmbeddedApp = Pick<
  App,
  'page' | 'room' | 'roomId' | 'name' | 'failure' | 'removal' | 'microphoneLive' | 'cameraLive' | 'join' | 'leave' | 'toggle' | 'shareScreen'
> & {
  readonly capture: Pick<App['capture'], 'cameraError' | 'microphoneError' | 'failureCount'>;
  readonly screens: Pick<App['screens'], 'screens' | 'stopAll'>;
};

export class Embedding {
  /** The room of which `joined` was told. */
  private joined: Room | null = null;
  private wasInCall = false;
  /** The last event of each subject of which a state is told, so that it is told once. */
  private readonly told = new Map<string, string>();

  constructor(
    private readonly app: EmbeddedApp,
    /** Origin of the page around this one. */
    private readonly origin: string,
    private readonly frame: Pick<Window, 'parent' | 'addEventListener'>,
  ) {}

  /** Tells that commands are taken, and what happens from now on. */
  start(): void {
    this.frame.addEventListener('message', (event) => this.handleMessage(event));
    this.post({ event: 'ready', room: this.app.roomId.value });
    // One effect, so that the events of one change have an order.
    effect(() => {
      this.observeCall();
      this.observeParticipants();
      this.observeDevices();
    });
  }

  private handleMessage({ origin, source, data }: MessageEvent<unknown>): void {
    if (origin !== this.origin || source !== this.frame.parent || !isMessage(data)) return;
    const command = parseCommand(data);
    if (command) void this.carryOut(command);
    else this.postError('unknown-command', `commands are ${COMMANDS.join(', ')}`);
  }

  private async carryOut({ command, name }: Command): Promise<void> {
    const { app } = this;
    if (command === 'join') return this.join(name);
    if (app.page.value !== 'call') return this.postError('not-joined', `${command} needs a call`);
    switch (command) {
      case 'mute':
      case 'unmute':
        return this.setOn('microphone', command === 'unmute');
      case 'startCamera':
      case 'stopCamera':
        return this.setOn('camera', command === 'startCamera');
      case 'startShare':
        return this.share();
      case 'stopShare':
        return app.screens.stopAll();
      case 'hangUp':
        return app.leave();
    }
  }

  private join(name: string | undefined): void {
    const { app } = this;
    if (!app.roomId.value) return this.postError('no-room', 'the address of the page names no room');
    if (app.page.value === 'call') return this.postError('already-joined', 'the call goes on');
    if (name !== undefined) app.name.value = name;
    void app.join();
  }

  private setOn(device: Device, on: boolean): void {
    const { app } = this;
    if (app.room.value?.role.value === 'viewer') return this.postError('forbidden', 'viewers send nothing');
    if ((device === 'camera' ? app.cameraLive : app.microphoneLive).value !== on) app.toggle(device);
  }

  /** Lets the person choose a screen. Browsers permit that only soon after a click in this page, or a delegated one. */
  private async share(): Promise<void> {
    const { screens } = this.app;
    const before = screens.screens.value;
    await this.app.shareScreen();
    if (screens.screens.value === before) this.postError('not-shared', 'no screen was chosen, or sharing is not permitted');
  }

  /** Tells of the beginning and the end of a call. */
  private observeCall(): void {
    const { app } = this;
    const isInCall = app.page.value === 'call';
    const room = isInCall ? app.room.value : null;
    const isLive = room?.status.value === 'live';
    untracked(() => {
      if (room && isLive && room !== this.joined) {
        this.joined = room;
        this.told.delete('participants');
        this.post({ event: 'joined', room: app.roomId.value, id: room.ownId });
      }
      if (this.wasInCall && !isInCall) this.handleEnd();
      this.wasInCall = isInCall;
    });
  }

  private handleEnd(): void {
    const { failure, removal } = this.app;
    const code = failure.value && (failure.value.code || failure.value.reason);
    if (code) this.postError(code, failure.value?.message ?? '');
    // An attempt that failed was no call.
    if (this.joined || !code) this.post({ event: 'left', reason: code || (removal.value ?? 'left') });
    this.joined = null;
  }

  private observeParticipants(): void {
    const room = this.app.page.value === 'call' ? this.app.room.value : null;
    const participants = (room?.participants.value ?? []).map((participant) => ({
      id: participant.id,
      name: participant.name.value,
      microphone: participant.microphoneOn.value,
      camera: participant.cameraOn.value,
      screens: participant.screens.value.length,
    }));
    if (room?.status.value === 'live') this.postChange('participants', { event: 'participants', participants });
  }

  /** Tells which devices are on, and of those that fail, also when one fails again. */
  private observeDevices(): void {
    const { microphoneLive, cameraLive, screens, capture } = this.app;
    const media = { microphone: microphoneLive.value, camera: cameraLive.value, screens: screens.screens.value.length };
    this.postChange('media', { event: 'media', ...media });
    const errors = { camera: capture.cameraError.value, microphone: capture.microphoneError.value };
    const count = capture.failureCount.value;
    for (const [device, error] of Object.entries(errors)) {
      const event = { event: 'error', code: `${device}-${error}`, message: `the ${device} cannot be used` } as const;
      if (error) this.postChange(device, event, count);
    }
  }

  private postError(code: string, message: string): void {
    this.post({ event: 'error', code, message });
  }

  /** Posts an event that states something, if it states something else than the last one of the same subject. */
  private postChange(subject: string, event: EmbeddingEvent, occurrence = 0): void {
    const text = JSON.stringify([event, occurrence]);
    if (this.told.get(subject) === text) return;
    this.told.set(subject, text);
    this.post(event);
  }

  private post(event: EmbeddingEvent): void {
    this.frame.parent.postMessage({ watersmeet: VERSION, ...event }, this.origin);
  }
}

/** Whether a message is meant for this page: sites post others, for other frames. */
function isMessage(data: unknown): data is Record<string, unknown> {
  return typeof data === 'object' && data !== null && 'watersmeet' in data;
}

/** Returns the command of a message; null for an unknown one. */
function parseCommand({ watersmeet, command, name }: Record<string, unknown>): Command | null {
  const known = COMMANDS.find((it) => it === command);
  if (watersmeet !== VERSION || !known) return null;
  return { command: known, ...(typeof name === 'string' && { name }) };
}
