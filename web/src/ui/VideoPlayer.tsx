/** Plays one video track. `RemoteAudio` plays audio, so that it does not stop when a tile is removed. */
import { useEffect, useRef } from 'preact/hooks';

interface VideoPlayerProps {
  track: MediaStreamTrack;
  label: string;
  mirrored?: boolean;
}

export function VideoPlayer({ track, label, mirrored = false }: VideoPlayerProps) {
  const ref = useRef<HTMLVideoElement>(null);
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
  return <video ref={ref} class={mirrored ? 'mirrored' : ''} aria-label={label} autoplay playsInline muted />;
}
