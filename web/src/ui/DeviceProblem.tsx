/** Message about a device that fails, for as long as it does, with a button that may solve it. */
import { useSignal } from '@preact/signals';
import type { App } from '../app';
import type { Capture, Device, DeviceError } from '../capture';
import { t } from '../i18n/translate';
import { Banner } from './Banner';
import { deviceErrorText } from './messages';

interface DeviceProblemProps {
  app: App;
  openDevices(): void;
}

interface Problem {
  /** Differs each time that the problem arises. */
  key: string;
  text: string;
  button: string;
  solve(): void;
}

export function DeviceProblem({ app, openDevices }: DeviceProblemProps) {
  const dismissed = useSignal('');
  const problem = problemOf(app, openDevices);
  if (!problem || dismissed.value === problem.key) return null;
  return (
    <Banner
      role="status"
      button={problem.button}
      onClick={() => problem.solve()}
      onDismiss={() => (dismissed.value = problem.key)}
    >
      {problem.text}
    </Banner>
  );
}

function problemOf(app: App, openDevices: () => void): Problem | null {
  const isViewer = app.room.value?.role.value === 'viewer';
  return (isViewer ? null : captureProblem(app, openDevices)) ?? speakerProblem(app.capture, openDevices);
}

function captureProblem(app: App, openDevices: () => void): Problem | null {
  const { capture } = app;
  const failure = failureOf(app);
  if (failure) {
    const text = deviceErrorText(failure.device, failure.error);
    return { key: `failure ${capture.failureCount.value}`, text, button: t('banner.tryAgain'), solve: () => void capture.retry() };
  }
  const key = `microphone ${capture.microphoneProblemCount.value}`;
  switch (capture.microphoneProblem.value) {
    case 'silent':
      return { key, text: t('microphone.silent'), button: t('banner.chooseDevice'), solve: openDevices };
    case 'talkingMuted':
      return { key, text: t('microphone.talkingMuted'), button: t('request.unmuteAccept'), solve: () => app.toggle('microphone') };
    default:
      return null;
  }
}

function speakerProblem({ output }: Capture, openDevices: () => void): Problem | null {
  if (!output.isReplaced.value) return null;
  const key = `speaker ${output.chosenId.value}`;
  return { key, text: t('device.speakerReplaced'), button: t('banner.chooseDevice'), solve: openDevices };
}

function failureOf({ capture }: App): { device: Device | 'both'; error: DeviceError } | null {
  const [camera, microphone] = [capture.cameraError.value, capture.microphoneError.value];
  if (camera && camera === microphone) return { device: 'both', error: camera };
  if (microphone) return { device: 'microphone', error: microphone };
  return camera ? { device: 'camera', error: camera } : null;
}
