/** Selects for the camera and the microphone. */
import type { DeviceOption } from '../audioOutput';
import type { Capture } from '../capture';
import { t } from '../i18n/translate';
import { SelectField } from './SelectField';

export function DevicePickers({ capture }: { capture: Capture }) {
  return (
    <>
      <SelectField
        label={t('device.camera')}
        choices={deviceChoices(capture.cameras.value, (number) => t('device.cameraNumber', { number }))}
        chosen={capture.cameraId.value}
        emptyText={t('device.noCamera')}
        choose={(id) => void capture.selectDevice('camera', id)}
      />
      <SelectField
        label={t('device.microphone')}
        choices={deviceChoices(capture.microphones.value, (number) => t('device.microphoneNumber', { number }))}
        chosen={capture.microphoneId.value}
        emptyText={t('device.noMicrophone')}
        choose={(id) => void capture.selectDevice('microphone', id)}
      />
    </>
  );
}

/** Returns the choices of a select of devices. They have no names before the person grants permission. */
export function deviceChoices(options: DeviceOption[], numbered: (number: number) => string): { value: string; text: string }[] {
  return options.map(({ id, label }, index) => ({ value: id, text: label || numbered(index + 1) }));
}
