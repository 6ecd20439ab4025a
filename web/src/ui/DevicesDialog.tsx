/** Dialog to select another camera or microphone during a call. */
import { useEffect, useRef } from 'preact/hooks';
import type { Capture } from '../capture';
import { DevicePickers } from './DevicePickers';
import { MicrophoneLevel } from './MicrophoneLevel';

export function DevicesDialog({ capture, close }: { capture: Capture; close(): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog class="card dialog" ref={ref} aria-label="Devices" onClose={close}>
      <h2>Devices</h2>
      <DevicePickers capture={capture} />
      <MicrophoneLevel capture={capture} />
      <form method="dialog">
        <button class="button primary" type="submit">
          Done
        </button>
      </form>
    </dialog>
  );
}
