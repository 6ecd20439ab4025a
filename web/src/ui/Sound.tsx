/** Plays one audio track, and notices when the browser will not until the person has touched the page. */
import type { Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

interface SoundProps {
  track: MediaStreamTrack;
  label: string;
  blocked: Signal<boolean>;
}

export function Sound({ track, label, blocked }: SoundProps) {
  const ref = useRef<HTMLAudioElement>(null);
  const waiting = blocked.value;
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    element.srcObject = new MediaStream([track]);
    return () => {
      element.srcObject = null;
    };
  }, [track]);
  useEffect(() => {
    if (waiting) return;
    ref.current?.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') blocked.value = true;
    });
  }, [track, waiting, blocked]);
  return <audio ref={ref} aria-label={label} autoplay />;
}
