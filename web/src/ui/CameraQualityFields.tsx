/** Selects for the resolution and the frame rate of the camera. */
import type { App } from '../app';
import { FRAME_RATES, heightOf, offeredWidths } from '../cameraQuality';
import { formatNumber, t } from '../i18n/translate';
import { SelectField } from './SelectField';

export function CameraQualityFields({ app }: { app: App }) {
  const quality = app.capture.quality.value;
  const widths = offeredWidths(app.capture.cameraWidthMax.value, quality.width);
  return (
    <div class="field-pair">
      <SelectField
        label={t('quality.resolution')}
        choices={widths.map((width) => ({ value: String(width), text: t('quality.height', { height: heightOf(width) }) }))}
        chosen={String(quality.width)}
        choose={(width) => app.setCameraQuality({ ...quality, width: Number(width) })}
      />
      <SelectField
        label={t('quality.frameRate')}
        choices={FRAME_RATES.map((rate) => ({ value: String(rate), text: formatNumber(rate) }))}
        chosen={String(quality.frameRate)}
        choose={(frameRate) => app.setCameraQuality({ ...quality, frameRate: Number(frameRate) })}
      />
    </div>
  );
}
