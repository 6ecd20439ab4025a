/** Plays one video track. Sound is played apart, so that a tile may come and go without a gap in what is heard. */
import { useEffect, useRef } from 'preact/hooks';

interface VideoProps {
  track: MediaStreamTrack;
  label: string;
  mirrored?: boolean;
}

export function Video({ track, label, mirrored = false }: VideoProps) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    element.srcObject = new MediaStream([track]);
    // Muted video may always play; a rejection only says that the track changed meanwhile.
    element.play().catch(() => undefined);
    return () => {
      element.srcObject = null;
    };
  }, [track]);
  return <video ref={ref} class={mirrored ? 'mirrored' : ''} aria-label={label} autoplay playsInline muted />;
}
