/** Which camera and microphone. */
import { useId } from 'preact/hooks';
import type { Capture, Choice, Device } from '../capture';

export function Devices({ capture }: { capture: Capture }) {
  return (
    <div class="devices">
      <Picker
        label="Camera"
        choices={capture.cameras.value}
        chosen={capture.cameraId.value}
        choose={(id) => capture.choose('camera', id)}
        device="camera"
      />
      <Picker
        label="Microphone"
        choices={capture.microphones.value}
        chosen={capture.microphoneId.value}
        choose={(id) => capture.choose('microphone', id)}
        device="microphone"
      />
    </div>
  );
}

interface PickerProps {
  label: string;
  device: Device;
  choices: Choice[];
  chosen: string;
  choose(id: string): Promise<void>;
}

function Picker({ label, device, choices, chosen, choose }: PickerProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="select">
        <select
          id={id}
          disabled={choices.length === 0}
          value={chosen}
          onChange={(event) => void choose(event.currentTarget.value)}
        >
          {choices.length === 0 && <option value={chosen}>No {device} available</option>}
          {choices.map((choice, index) => (
            <option key={choice.id} value={choice.id}>
              {choice.label || `${label} ${index + 1}`}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}
