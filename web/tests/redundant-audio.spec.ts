/**
 * A listener in Chromium whose line loses a fifth of the packets: with redundant audio (RED, RFC 2198) hardly
 * any of the sound is made up. Chromium counts no RED packets; what it counts as discarded are copies of
 * packets that it has.
 */
import { type Call, type CallParticipant, expect, NIGHTLY, test } from './callFixture';
import { sleep, type Environment } from './server';

const CLEAN = 'delay=60';
const LOSSY = 'delay=60 loss=0.2';
/** Length of the measured window in seconds, and the packets of audio in it. */
const MEASURED_S = 15;
const PACKETS = 50 * MEASURED_S;
/** A browser reports the loss of audio about every five seconds. */
const KNOWN_MS = 15_000;
/** What may be made up of the sound, in percent: measured 0.1 with redundancy, 5.5 to 6.9 without. */
const CONCEALED_MAX = 3;

interface Sound {
  /** Packets that were not needed. */
  discarded: number;
  /** Samples that were made up, and of all. */
  concealed: number;
  played: number;
}

/** Reads what the listener received of the other's voice. */
async function soundOf(listener: CallParticipant, other: CallParticipant): Promise<Sound> {
  return listener.page.evaluate(async (label) => {
    const element = document.querySelector(`[aria-label="${label}"]`) as HTMLMediaElement | null;
    const id = (element?.srcObject as MediaStream | null)?.getTracks()[0]?.id;
    for (const connection of window.connections) {
      const receiver = connection.getReceivers().find(({ track }) => track.id === id);
      for (const report of (await receiver?.getStats())?.values() ?? []) {
        if (report.type !== 'inbound-rtp') continue;
        return {
          discarded: Number(report.packetsDiscarded ?? 0),
          concealed: Number(report.concealedSamples ?? 0),
          played: Number(report.totalSamplesReceived ?? 0),
        };
      }
    }
    throw new Error(`no receiver of ${label}`);
  }, `${other.name}'s voice`);
}

/** Returns the share of sound that was made up between two readings, in %. */
const concealedPercent = (before: Sound, after: Sound) =>
  (100 * (after.concealed - before.concealed)) / (after.played - before.played);

/** Returns the middle one of some numbers. */
function median(values: number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/**
 * Returns, of a window, the packets with redundancy, those not needed, and the share of sound made up in % in the middle
 * one of its seconds: losses come in all of them, a pause of the machine in one.
 */
async function measure(call: Call, environment: Environment) {
  const { server, relay } = await call.startServerBehindRelay(environment);
  await relay.command(`both ${CLEAN}`);
  const ana = await call.open('ana', { room: 'tea-at-four', options: { width: '320' } });
  await ana.replaceMicrophoneByTone();
  await ana.join();
  const ben = await call.join('ben', { options: { width: '320' }, relayPort: relay.port });
  await ben.turnCameraOff();
  await ben.mute();
  await ben.expectAudioFrom(ana);
  await relay.command(`both ${LOSSY}`);
  await sleep(KNOWN_MS);
  const read = async () => {
    const counter = /^watersmeet_rtp_redundant_packets_total\S* (\d+)$/m.exec(await server.metrics());
    return { redundant: Number(counter?.[1] ?? 0), ...(await soundOf(ben, ana)) };
  };
  const before = await read();
  let last = before;
  const shares: number[] = [];
  for (let second = 0; second < MEASURED_S; second += 1) {
    await sleep(1_000);
    const next = await read();
    shares.push(concealedPercent(last, next));
    last = next;
  }
  return {
    redundant: last.redundant - before.redundant,
    discarded: last.discarded - before.discarded,
    concealed: median(shares),
  };
}

test('packets repeat earlier ones for a listener who loses a fifth of them', async ({ call }) => {
  test.setTimeout(120_000);
  const sound = await measure(call, {});
  expect(sound.redundant, 'packets with redundancy').toBeGreaterThan(0.8 * PACKETS);
  expect(sound.discarded, 'copies that were not needed').toBeGreaterThan(PACKETS);
  expect(sound.concealed, 'sound made up, in %').toBeLessThan(CONCEALED_MAX);
});

test('without redundant audio more of the sound is made up', NIGHTLY, async ({ call }) => {
  test.setTimeout(120_000);
  const sound = await measure(call, { WATERSMEET_REDUNDANT_AUDIO: 'false' });
  expect(sound.redundant, 'packets with redundancy').toBe(0);
  expect(sound.concealed, 'sound made up, in %').toBeGreaterThan(CONCEALED_MAX);
});
