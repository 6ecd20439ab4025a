import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AudioOutput } from './audioOutput';

/** Element that plays; it refuses speakers that are not plugged in. */
class FakeElement {
  static pluggedIn = new Set<string>();
  sinkId = '';

  async setSinkId(id: string): Promise<void> {
    if (id !== '' && !FakeElement.pluggedIn.has(id)) throw new DOMException('gone', 'NotFoundError');
    this.sinkId = id;
  }
}

const device = (deviceId: string, kind = 'audiooutput') => ({ deviceId, kind, label: `label of ${deviceId}` }) as MediaDeviceInfo;

/** Plugs these speakers in and lists them as a browser does with permission. */
function plugIn(output: AudioOutput, ...ids: string[]): void {
  FakeElement.pluggedIn = new Set(ids);
  output.update([device('default'), ...ids.map((id) => device(id)), device('microphone', 'audioinput')]);
}

const element = () => new FakeElement() as unknown as HTMLMediaElement;

beforeEach(() => vi.stubGlobal('HTMLMediaElement', FakeElement));
afterEach(() => vi.unstubAllGlobals());

test('the speakers besides the default one are listed, and the chosen one plays', async () => {
  const output = new AudioOutput('');
  plugIn(output, 'desk', 'headset');
  expect(output.outputs.value).toEqual([
    { id: 'desk', label: 'label of desk' },
    { id: 'headset', label: 'label of headset' },
  ]);
  const playing = element();
  output.choose('headset');
  await output.apply(playing);
  expect(playing.sinkId).toBe('headset');
  output.choose('');
  await output.apply(playing);
  expect(playing.sinkId).toBe('');
});

test('the default speaker replaces a chosen one that is unplugged, until it is back', async () => {
  const output = new AudioOutput('headset');
  plugIn(output, 'desk', 'headset');
  expect([output.sinkId.value, output.isReplaced.value]).toEqual(['headset', false]);
  plugIn(output, 'desk');
  expect([output.sinkId.value, output.isReplaced.value]).toEqual(['', true]);
  // The last one of the list too.
  plugIn(output);
  expect([output.sinkId.value, output.isReplaced.value]).toEqual(['', true]);
  plugIn(output, 'headset');
  expect([output.sinkId.value, output.isReplaced.value]).toEqual(['headset', false]);
  expect(output.chosenId.value).toBe('headset');
});

test('a chosen speaker is not called unavailable before the browser lists any', () => {
  const output = new AudioOutput('headset');
  output.update([device('')]);
  expect([output.sinkId.value, output.isReplaced.value]).toEqual(['', false]);
});

test('a speaker on which the browser refuses to play is replaced until the list changes', async () => {
  const output = new AudioOutput('headset');
  plugIn(output, 'headset');
  FakeElement.pluggedIn.delete('headset');
  const playing = element();
  await output.apply(playing);
  expect([output.sinkId.value, output.isReplaced.value]).toEqual(['', true]);
  plugIn(output, 'headset');
  await output.apply(playing);
  expect([playing.sinkId, output.isReplaced.value]).toEqual(['headset', false]);
});

test('a speaker that the person picks in the window of the browser joins the list', async () => {
  const output = new AudioOutput('');
  const selectAudioOutput = vi.fn(async () => device('headset'));
  vi.stubGlobal('navigator', { mediaDevices: { selectAudioOutput } });
  expect(output.canAsk).toBe(true);
  await output.ask();
  expect([output.sinkId.value, output.outputs.value.map(({ id }) => id)]).toEqual(['headset', ['headset']]);
  selectAudioOutput.mockRejectedValue(new DOMException('closed', 'NotAllowedError'));
  await output.ask();
  expect(output.sinkId.value).toBe('headset');
});

test('browsers that let nobody choose list no speakers', async () => {
  vi.stubGlobal('HTMLMediaElement', class {});
  const output = new AudioOutput('headset');
  plugIn(output, 'headset');
  expect([output.outputs.value, output.canAsk, output.isReplaced.value]).toEqual([[], false, false]);
  await output.apply({} as HTMLMediaElement);
});
