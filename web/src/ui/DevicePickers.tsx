/** Selects for the camera and the microphone. */
import type { Capture, Device, DeviceOption } from '../capture';
import { SelectField } from './SelectField';

export function DevicePickers({ capture }: { capture: Capture }) {
  return (
    <div class="devices">
      <DevicePicker
        label="Camera"
        device="camera"
        options={capture.cameras.value}
        selected={capture.cameraId.value}
        capture={capture}
      />
      <DevicePicker
        label="Microphone"
        device="microphone"
        options={capture.microphones.value}
        selected={capture.microphoneId.value}
        capture={capture}
      />
    </div>
  );
}

interface DevicePickerProps {
  label: string;
  device: Device;
  options: DeviceOption[];
  /** Id of the selected device. */
  selected: string;
  capture: Capture;
}

function DevicePicker({ label, device, options, selected, capture }: DevicePickerProps) {
  return (
    <SelectField
      label={label}
      choices={options.map((option, index) => ({ value: option.id, text: option.label || `${label} ${index + 1}` }))}
      chosen={selected}
      emptyText={`No ${device} available`}
      choose={(id) => void capture.selectDevice(device, id)}
    />
  );
}
