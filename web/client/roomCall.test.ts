/** The package's calls, with fake signalling and media. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeMedia } from '../src/media.fake';
import { FakeSignalling, ben, media, settle } from '../src/room.fake';
import { Refusal } from '../src/signalling';
import { CallError, type Call, type CallEvents, type JoinOptions } from './api';
import { joinWith } from './roomCall';

const EVENTS = [
  'participantJoined',
  'participantChanged',
  'participantLeft',
  'mediaAdded',
  'mediaChanged',
  'mediaRemoved',
  'publicationChanged',
  'publicationEnded',
  'roleChanged',
  'stateChanged',
  'problem',
  'ended',
] as const satisfies (keyof CallEvents)[];

let server: FakeSignalling;
let calls: Call[];

beforeEach(() => {
  vi.useFakeTimers();
  FakeMedia.all = [];
  calls = [];
});

afterEach(() => {
  for (const call of calls) call.leave();
  vi.useRealTimers();
});

function joining(options: Partial<JoinOptions> = {}): Promise<Call> {
  const joined = joinWith(
    { server: 'https://meet.example.org', room: 'room', name: 'Ana', ...options },
    { createSignalling: (events) => (server = new FakeSignalling(events)), createMedia: FakeMedia.create },
  );
  // The test awaits the failure, perhaps later.
  joined.then((call) => calls.push(call), () => undefined);
  return joined;
}

/** Joins a room in which Ben is, and records the events from then on. */
async function joinBen(): Promise<{ call: Call; events: [event: string, subject: unknown][] }> {
  const joined = joining();
  server.joined = { roomId: 'room', ...ben };
  server.connect();
  const call = await joined;
  const events: [string, unknown][] = [];
  const subjectOf = (value: CallEvents[keyof CallEvents]) =>
    value instanceof CallError ? value.code : typeof value === 'object' && 'id' in value ? value.id : value;
  for (const event of EVENTS) call.on(event, (value) => events.push([event, subjectOf(value)]));
  await settle();
  return { call, events };
}

function track(kind: 'audio' | 'video', id: string = kind): MediaStreamTrack & EventTarget {
  return Object.assign(new EventTarget(), { id, kind, contentHint: '' }) as MediaStreamTrack;
}

const sent = () => media().producers.filter(({ closed }) => !closed).map(({ source, paused }) => [source, paused]);
const requestsOf = (...types: string[]) => server.requests.filter(({ type }) => types.includes(type)).map(({ type }) => type);

describe('join', () => {
  test('resolves in the room, with those who are there, and tells of their media afterwards', async () => {
    const { call, events } = await joinBen();
    expect([call.state, call.room, call.id, call.role]).toEqual(['connected', 'room', 'peer_me', 'speaker']);
    expect(call.participants.map(({ name }) => name)).toEqual(['Ben']);
    expect(events).toEqual([['mediaAdded', 'ben face'], ['mediaAdded', 'ben voice']]);
    expect(call.participants[0]?.media.map(({ source, kind, muted }) => [source, kind, muted])).toEqual([
      ['camera', 'video', false],
      ['microphone', 'audio', true],
    ]);
    const { resume, ...rest } = server.last('joinRoom') ?? {};
    expect(rest).toEqual({ roomId: 'room', displayName: 'Ana', resumable: true });
    expect(resume).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    [new Refusal('This room is locked', 'room-locked'), 'room-locked'],
    [new Refusal('The token is expired', 'invalid-token'), 'invalid-token'],
  ])('rejects with the code of a refusal', async (refusal, code) => {
    const joined = joining();
    server.refusals.set('joinRoom', refusal);
    server.connect();
    await expect(joined).rejects.toMatchObject({ name: 'CallError', code, message: refusal.message });
    expect(server.closed).toBe(true);
  });

  test('rejects when the server cannot be reached', async () => {
    const joined = joining();
    for (let attempt = 0; attempt < 3; attempt += 1) server.disconnect();
    await expect(joined).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('says that a host has to admit us, and resolves or rejects when one has decided', async () => {
    for (const admits of [true, false]) {
      const onWaiting = vi.fn();
      const joined = joining({ onWaiting });
      server.joined = { hostPresent: true } as never;
      server.connect();
      await settle();
      expect(onWaiting).toHaveBeenCalledOnce();
      if (admits) server.notify('admitted', { roomId: 'room', peers: [], existingProducers: [] });
      else server.notify('removed', { reason: 'denied' });
      if (admits) expect((await joined).state).toBe('connected');
      else await expect(joined).rejects.toMatchObject({ code: 'denied' });
    }
  });

  test('is given up by its signal, before and while it joins', async () => {
    const abort = new AbortController();
    const joined = joining({ signal: abort.signal });
    abort.abort();
    await expect(joined).rejects.toMatchObject({ code: 'aborted' });
    expect(server.closed).toBe(true);
    await expect(joining({ signal: abort.signal })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('participants', () => {
  test('join, change and leave, each with its media', async () => {
    const { call, events } = await joinBen();
    events.length = 0;
    server.notify('newPeer', { peerId: 'eve', displayName: 'Eve' });
    server.notify('newProducer', { peerId: 'eve', producerId: 'eve face', kind: 'video' });
    await settle();
    server.notify('producerPaused', { peerId: 'eve', producerId: 'eve face' });
    server.notify('interruptionChanged', { peerId: 'eve', interrupted: true });
    expect(call.participants.map(({ interrupted }) => interrupted)).toEqual([false, true]);
    server.notify('peerLeft', { peerId: 'eve' });
    expect(events).toEqual([
      ['participantJoined', 'eve'],
      ['mediaAdded', 'eve face'],
      ['mediaChanged', 'eve face'],
      ['participantChanged', 'eve'],
      ['mediaRemoved', 'eve face'],
      ['participantLeft', 'eve'],
    ]);
  });

  test('stay the same objects over a reconnection, and their media come again', async () => {
    const { call, events } = await joinBen();
    const [before] = call.participants;
    events.length = 0;
    server.disconnect();
    expect(call.state).toBe('reconnecting');
    server.connect();
    await settle();
    expect(call.participants[0]).toBe(before);
    expect(call.state).toBe('connected');
    expect(events.filter(([event]) => event.startsWith('participant'))).toEqual([]);
    expect(events.filter(([event]) => event === 'stateChanged')).toEqual([['stateChanged', 'reconnecting'], ['stateChanged', 'connected']]);
    expect(call.participants[0]?.media.length).toBe(2);
  });

  test('a listener that fails or stops listening does not keep others from an event', async () => {
    const { call } = await joinBen();
    const reported: unknown[] = [];
    const record = (error: unknown) => void reported.push(error);
    process.once('uncaughtException', record);
    const [stopped, last] = [vi.fn(), vi.fn()];
    call.on('participantJoined', () => {
      throw new Error('a mistake of the page');
    });
    call.on('participantJoined', stopped)();
    call.on('participantJoined', last);
    server.notify('newPeer', { peerId: 'eve', displayName: 'Eve' });
    await vi.waitFor(() => expect(reported).toEqual([new Error('a mistake of the page')]));
    expect(last).toHaveBeenCalledOnce();
    expect(stopped).not.toHaveBeenCalled();
  });
});

describe('subscribe', () => {
  test('receives sound at once and video only as large as it is shown', async () => {
    const { call } = await joinBen();
    const [face] = call.participants[0]?.media ?? [];
    expect(requestsOf('resumeConsumer').length).toBe(1);
    expect(server.last('resumeConsumer')).toEqual({ consumerId: 'consumer of ben voice' });
    if (!face) throw new Error('no video');
    call.subscribe(face, { height: 100 });
    await settle();
    expect(server.last('resumeConsumer')).toEqual({ consumerId: 'consumer of ben face' });
    expect(server.last('setPreferredLayers')).toEqual({ consumerId: 'consumer of ben face', spatialLayer: 0 });
    call.subscribe(face, { height: 720 });
    await settle();
    expect(server.last('setPreferredLayers')).toEqual({ consumerId: 'consumer of ben face', spatialLayer: 2 });
    call.subscribe(face, { height: 0 });
    await settle();
    expect(server.last('pauseConsumer')).toEqual({ consumerId: 'consumer of ben face' });
  });

  test('lasts over a reconnection', async () => {
    const { call } = await joinBen();
    const [face] = call.participants[0]?.media ?? [];
    if (face) call.subscribe(face, { height: 720 });
    await settle();
    const before = requestsOf('resumeConsumer').length;
    server.disconnect();
    server.connect();
    await settle();
    expect(requestsOf('resumeConsumer').length).toBe(before + 2);
  });
});

describe('publish', () => {
  test('sends devices and screens until they are stopped or end', async () => {
    const { call, events } = await joinBen();
    events.length = 0;
    const camera = call.publish(track('video'));
    const microphone = call.publish(track('audio'));
    const slides = track('video', 'slides');
    call.publish(slides, { source: 'screen', audio: track('audio', 'film sound') });
    await settle();
    expect(sent()).toEqual([['camera', false], ['mic', false], ['screen', false], ['screen-audio', false]]);
    microphone.setMuted(true);
    camera.stop();
    slides.dispatchEvent(new Event('ended'));
    await settle();
    expect(sent()).toEqual([['camera', true], ['mic', true]]);
    expect(events.map(([event]) => event)).toEqual(['publicationChanged', 'publicationEnded', 'publicationEnded']);
    expect([camera.muted, microphone.muted]).toEqual([true, true]);
  });

  test('replaces the camera by the next one', async () => {
    const { call, events } = await joinBen();
    const first = call.publish(track('video', 'front'));
    const second = call.publish(track('video', 'back'));
    await settle();
    expect(events.filter(([event]) => event === 'publicationEnded').length).toBe(1);
    first.setMuted(true);
    first.stop();
    await settle();
    expect([first.muted, second.muted]).toEqual([true, false]);
    expect(sent()).toEqual([['camera', false]]);
  });

  test('tells when a host mutes or stops, and when the server refuses', async () => {
    const { call, events } = await joinBen();
    const microphone = call.publish(track('audio'));
    call.publish(track('video', 'slides'), { source: 'screen' });
    await settle();
    events.length = 0;
    server.notify('muted', { producerId: 'mine 1' } as never);
    server.notify('producerClosed', { producerId: 'mine 2' } as never);
    expect(microphone.muted).toBe(true);
    server.refusals.set('produce', new Refusal('Not allowed', 'forbidden'));
    call.publish(track('video'));
    await settle();
    expect(events.map(([event]) => event)).toEqual(['publicationChanged', 'publicationEnded', 'problem']);
    expect(events.at(-1)).toEqual(['problem', 'forbidden']);
  });

  test('refuses a track of the wrong kind', async () => {
    const { call } = await joinBen();
    expect(() => call.publish(track('audio'), { source: 'camera' })).toThrow(TypeError);
    expect(() => call.publish(track('video'), { source: 'microphone' })).toThrow(TypeError);
  });
});

describe('the end of a call', () => {
  test.each([
    [() => calls[0]?.leave(), 'left'],
    [() => server.notify('removed', { reason: 'ended' }), 'ended'],
  ])('is told once, after the media and the participants', async (end, reason) => {
    const { call, events } = await joinBen();
    events.length = 0;
    end();
    call.leave();
    expect(call.state).toBe('ended');
    expect(events).toEqual([
      ['mediaRemoved', 'ben face'],
      ['mediaRemoved', 'ben voice'],
      ['participantLeft', 'ben'],
      ['stateChanged', 'ended'],
      ['ended', reason],
    ]);
  });

  test('has the code of a refusal when the call cannot be joined again', async () => {
    const { events } = await joinBen();
    server.refusals.set('joinRoom', new Refusal('Banned', 'banned'));
    server.disconnect();
    server.connect();
    await settle();
    expect(events.at(-1)).toEqual(['ended', 'banned']);
  });
});
