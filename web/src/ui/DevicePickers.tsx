/** Selects for the camera and the microphone. */
import { useId } from 'preact/hooks';
import type { Capture, DeviceOption, Device } from '../capture';

export function DevicePickers({ capture }: { capture: Capture }) {
  return (
    <div class="devices">
      <DevicePicker
        label="Camera"
        options={capture.cameras.value}
        selected={capture.cameraId.value}
        select={(id) => capture.selectDevice('camera', id)}
        device="camera"
      />
      <DevicePicker
        label="Microphone"
        options={capture.microphones.value}
        selected={capture.microphoneId.value}
        select={(id) => capture.selectDevice('microphone', id)}
        device="microphone"
      />
    </div>
  );
}

interface DevicePickerProps {
  label: string;
  device: Device;
  options: DeviceOption[];
  selected: string;
  select(id: string): Promise<void>;
}

function DevicePicker({ label, device, options, selected, select }: DevicePickerProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="select">
        <select
          id={id}
          disabled={options.length === 0}
          value={selected}
          onChange={(event) => void select(event.currentTarget.value)}
        >
          {options.length === 0 && <option value={selected}>No {device} available</option>}
          {options.map((option, index) => (
            <option key={option.id} value={option.id}>
              {option.label || `${label} ${index + 1}`}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}
