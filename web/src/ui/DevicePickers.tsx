/** Selects for the camera and the microphone. */
import type { Capture, Device, DeviceOption } from '../capture';
import { t } from '../i18n/translate';
import { SelectField } from './SelectField';

export function DevicePickers({ capture }: { capture: Capture }) {
  return (
    <div class="devices">
      <DevicePicker
        device="camera"
        options={capture.cameras.value}
        selected={capture.cameraId.value}
        capture={capture}
      />
      <DevicePicker
        device="microphone"
        options={capture.microphones.value}
        selected={capture.microphoneId.value}
        capture={capture}
      />
    </div>
  );
}

interface DevicePickerProps {
  device: Device;
  options: DeviceOption[];
  /** Id of the selected device. */
  selected: string;
  capture: Capture;
}

const TEXTS = {
  camera: { label: 'device.camera', numbered: 'device.cameraNumber', none: 'device.noCamera' },
  microphone: { label: 'device.microphone', numbered: 'device.microphoneNumber', none: 'device.noMicrophone' },
} as const;

function DevicePicker({ device, options, selected, capture }: DevicePickerProps) {
  const texts = TEXTS[device];
  const textOf = ({ label }: DeviceOption, index: number) => label || t(texts.numbered, { number: index + 1 });
  return (
    <SelectField
      label={t(texts.label)}
      choices={options.map((option, index) => ({ value: option.id, text: textOf(option, index) }))}
      chosen={selected}
      emptyText={t(texts.none)}
      choose={(id) => void capture.selectDevice(device, id)}
    />
  );
}
