/**
 * What this person sends: brings it in line with what is captured, one step at a
 * time and never twice at once. It opens no device and no transport.
 */
import type { Device } from './capture';
import type { Media, Publication, VideoCodec } from './media';
import { Unsupported } from './media';
import type { PayloadOf, ReplyOf, RequestType, MediaSource } from './protocol';
import { Refusal } from './socket';

/** The viewer's own tracks, as `Capture` has them. */
export interface Tracks {
  readonly camera: { readonly value: MediaStreamTrack | null };
  readonly microphone: { readonly value: MediaStreamTrack | null };
  readonly cameraOn: { readonly value: boolean };
  readonly microphoneOn: { readonly value: boolean };
  /** Switches a device off, if it is on. */
  silence(device: Device): void;
}

/** What sending and receiving need of the room around them. */
export interface Asking {
  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>>;
  /** Tells the person what does not work. */
  complain(text: string): void;
}

interface Sent {
  publication: Publication;
  track: MediaStreamTrack;
  on: boolean;
}

export class Sending {
  private media: Media | null = null;
  private codec: VideoCodec = 'vp8';
  private readonly sent = new Map<MediaSource, Sent>();
  private syncing = false;
  private syncWanted = false;

  constructor(
    private readonly tracks: Tracks,
    private readonly asking: Asking,
    /** Whether anything may be sent now. */
    private readonly ready: () => boolean,
  ) {}

  /** From now on what is captured goes through these pipes. */
  start(media: Media, codec: VideoCodec): Promise<void> {
    this.media = media;
    this.codec = codec;
    return this.sync();
  }

  /** Lets go of the pipes and of what went through them. */
  stop(): void {
    this.withdraw();
    this.media = null;
  }

  /** Ends what is sent; it begins anew at the next `sync` that is permitted. */
  withdraw(): void {
    for (const { publication } of this.sent.values()) publication.close();
    this.sent.clear();
  }

  async sync(): Promise<void> {
    this.syncWanted = true;
    if (this.syncing) return;
    this.syncing = true;
    const { tracks } = this;
    while (this.syncWanted && this.media && this.ready()) {
      this.syncWanted = false;
      // Video first, as the protocol's first client does.
      await this.syncOne('camera', tracks.camera.value, tracks.cameraOn.value);
      await this.syncOne('mic', tracks.microphone.value, tracks.microphoneOn.value);
    }
    this.syncing = false;
  }

  /** The server has paused this producer; the switch follows. Tells which device that was. */
  muted(producerId: string): Device | null {
    for (const [source, sent] of this.sent) {
      if (sent.publication.id !== producerId) continue;
      sent.on = false;
      sent.publication.pause();
      const device = source === 'camera' ? 'camera' : 'microphone';
      this.tracks.silence(device);
      return device;
    }
    return null;
  }

  /** The server has closed this producer. */
  closed(producerId: string): void {
    for (const [source, { publication }] of this.sent) {
      if (publication.id !== producerId) continue;
      publication.close();
      this.sent.delete(source);
    }
  }

  private async syncOne(source: MediaSource, track: MediaStreamTrack | null, on: boolean): Promise<void> {
    const { media } = this;
    if (!media || !this.ready()) return;
    try {
      await this.send(media, source, track, on);
    } catch (error) {
      // Losses of the line, of the transports or of the permission are mended elsewhere.
      if (media !== this.media || !this.ready()) return;
      if (!(error instanceof Refusal || error instanceof Unsupported)) return;
      const device = source === 'mic' ? 'microphone' : 'camera';
      this.asking.complain(`Your ${device} is not being sent: ${error.message}`);
    }
  }

  private async send(media: Media, source: MediaSource, track: MediaStreamTrack | null, on: boolean): Promise<void> {
    const sent = this.sent.get(source);
    if (!sent) {
      if (!track || !on) return;
      const publication = await media.publish(source, track, this.codec);
      if (media !== this.media || !this.ready()) return publication.close();
      this.sent.set(source, { publication, track, on });
      return;
    }
    if (on && track && sent.track !== track) {
      await sent.publication.replace(track);
      sent.track = track;
    }
    const wanted = on && track !== null;
    if (wanted === sent.on) return;
    sent.on = wanted;
    const producerId = sent.publication.id;
    if (wanted) {
      sent.publication.resume();
      await this.asking.request('resumeProducer', { producerId });
    } else {
      sent.publication.pause();
      await this.asking.request('pauseProducer', { producerId });
    }
  }
}
