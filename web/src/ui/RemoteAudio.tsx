/** Plays one audio track and reports when the browser blocks playback before an interaction with the page. */
import type { Signal } from '@preact/signals';
import type { AudioOutput } from '../audioOutput';
import { useEffect, useRef } from 'preact/hooks';

interface RemoteAudioProps {
  track: MediaStreamTrack;
  label: string;
  blocked: Signal<boolean>;
  output: AudioOutput;
}

export function RemoteAudio({ track, label, blocked, output }: RemoteAudioProps) {
  const ref = useRef<HTMLAudioElement>(null);
  const isBlocked = blocked.value;
  const sinkId = output.sinkId.value;
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    element.srcObject = new MediaStream([track]);
    return () => {
      element.srcObject = null;
    };
  }, [track]);
  useEffect(() => {
    if (ref.current) void output.apply(ref.current);
  }, [output, sinkId]);
  useEffect(() => {
    if (isBlocked) return;
    ref.current?.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') blocked.value = true;
    });
  }, [track, isBlocked, blocked]);
  return <audio ref={ref} aria-label={label} autoplay />;
}
