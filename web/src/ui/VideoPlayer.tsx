/** Plays one video track. Audio is played by `RemoteAudio`, so that removing a tile does not interrupt it. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { frozenSeconds, updatePicture, type Picture } from '../pictureWatch';

/** Interval at which a picture is watched. */
const WATCH_MS = 250;

/** What is seen of a video. */
export interface PictureState {
  isLoaded: boolean;
  /** For how many seconds the picture has stood still; 0 while it moves. */
  frozenS: number;
}

interface VideoPlayerProps {
  track: MediaStreamTrack;
  label: string;
  mirrored?: boolean;
  /** Whether the whole picture is shown, and not only as much as fills the tile. */
  whole?: boolean;
  /** Called when the pictures have another height. */
  onHeight?(height: number): void;
  /** Called when something else is seen. */
  onState?(state: PictureState): void;
}

export function VideoPlayer({ track, label, mirrored = false, whole = false, onHeight, onState }: VideoPlayerProps) {
  const ref = useRef<HTMLVideoElement>(null);
  const upright = useSignal(false);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    element.srcObject = new MediaStream([track]);
    // Muted video may always play; `play` rejects only when the track changed meanwhile.
    element.play().catch(() => undefined);
    return () => {
      element.srcObject = null;
    };
  }, [track]);
  useEffect(() => (ref.current && onState ? watchPicture(ref.current, onState) : undefined), [track, onState]);
  const measure = () => {
    const { videoWidth = 0, videoHeight = 0 } = ref.current ?? {};
    upright.value = videoHeight > videoWidth;
    onHeight?.(videoHeight);
  };
  const classes = [mirrored && 'mirrored', whole && 'whole', upright.value && 'upright'].filter(Boolean).join(' ');
  return (
    <video
      ref={ref}
      class={classes}
      aria-label={label}
      autoplay
      playsInline
      muted
      onLoadedMetadata={measure}
      onResize={measure}
    />
  );
}

/** Reports what is seen of a video until the returned function is called. */
function watchPicture(element: HTMLVideoElement, report: (state: PictureState) => void): () => void {
  let picture: Picture | null = null;
  let last = '';
  const read = () => {
    // A hidden page presents no frames, and some time passes after it is shown.
    if (document.hidden) picture = null;
    else picture = updatePicture(picture, element.getVideoPlaybackQuality().totalVideoFrames, performance.now());
    const state = { isLoaded: element.videoWidth > 0, frozenS: picture ? frozenSeconds(picture, performance.now()) : 0 };
    const key = `${state.isLoaded} ${state.frozenS}`;
    if (key === last) return;
    last = key;
    report(state);
  };
  const timer = setInterval(read, WATCH_MS);
  element.addEventListener('loadeddata', read);
  read();
  return () => {
    clearInterval(timer);
    element.removeEventListener('loadeddata', read);
    report({ isLoaded: false, frozenS: 0 });
  };
}
