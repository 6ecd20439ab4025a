/** Plays one video track. Audio is played by `RemoteAudio`, so that removing a tile does not interrupt it. */
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
