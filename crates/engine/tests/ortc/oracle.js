// Prints one JSON object per line: a generated case (router codecs, parameters of a publisher,
// capabilities of a receiver) and the results of the reference. The result of a step that throws is
// null.
//   node oracle.js SEED COUNT
'use strict';

const path = require('node:path');
const lib = path.join(__dirname, 'node_modules', 'mediasoup', 'node', 'lib');
const ortc = require(path.join(lib, 'ortc.js'));
const { browsers, routers, recvCapabilities, sendParameters, PACKET_ID } = require('./shapes.js');

const seed = Number(process.argv[2]);
const count = Number(process.argv[3]);

// The random generator mulberry32.
let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}
const below = limit => Math.floor(random() * limit);
const pick = list => list[below(list.length)];
const chance = probability => random() < probability;
const clone = value => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

const ENCODINGS = [
  () => [{ ssrc: 1111 + below(100000), rtx: { ssrc: 222222 } }],
  () => [{ ssrc: 1111 + below(100000), dtx: true }],
  () => [],
  () => [{ active: true, scalabilityMode: pick(['L3T3', 'L1T2', 'S1T3', 'L2T3_KEY']) }],
  () => ['r0', 'r1', 'r2'].map((rid, at) => ({
    rid, active: true, scaleResolutionDownBy: 4 >> at, maxBitrate: 100000 * (at + 1),
    scalabilityMode: pick(['L1T3', 'S1T3']),
  })),
  () => ['l', 'h'].map(rid => ({ rid, maxFramerate: 30, priority: 'high' })),
  () => [
    { ssrc: 5, rtx: { ssrc: 6 }, maxBitrate: 900000 },
    { ssrc: 7, rtx: { ssrc: 8 }, maxBitrate: 300000, codecPayloadType: 96 },
  ],
];
const PROFILES = [
  '42e01f', '42001f', '420032', '42f00b', '42100b', '4d0032', '4d001f', '4d100b', '4d800a',
  '58c01f', '58801f', '640c1f', '64001f', 'f4001f', '640034', '42E01F', '42e0', '000000',
  'zzzzzz', '42e0ff', '', 0, 640032, '42e00a', '42000b',
];
const MODES = [
  'L1T1', 'S3T3', 'L3T2_KEY', 'L99T11', 'T3', 'L0T3', 'L3T0', 'L3T', 'l3t3', 'L3T123', '4',
];
const DIRECTIONS = ['recvonly', 'inactive', 'odd'];
const ODD = [null, '', 0, 1, '1', 'odd', true, false, {}, [], 1.5];

// Fields whose numbers are written into packets. The engine refuses values out of range, and the
// reference leaves that to its worker. These numbers are therefore kept whole and in range.
const NUMBERS = [
  'payloadType', 'preferredPayloadType', 'id', 'preferredId', 'channels', 'clockRate', 'ssrc',
  'codecPayloadType',
];
// Objects. The engine accepts only null for an unset one, and no array in place of an object.
const OBJECTS = ['rtcp', 'rtx', 'parameters'];
// Hints that the reference copies unread: a valid number, or absent.
const HINTS = ['maxBitrate', 'scaleResolutionDownBy'];

function everyObject(value, found = []) {
  if (value && typeof value === 'object') {
    found.push(value);
    Object.values(value).forEach(it => everyObject(it, found));
  }
  return found;
}

function shuffle(list) {
  for (let at = list.length - 1; at > 0; --at) {
    const other = below(at + 1);
    [list[at], list[other]] = [list[other], list[at]];
  }
}

// Applies a change that a real client could make: another order, fewer features, another profile.
function mutatePlausibly(value) {
  const set = (name, values) => parameters.length && (pick(parameters)[name] = pick(values));
  const lists = everyObject(value).filter(it => Array.isArray(it) && it.length > 0);
  const plain = everyObject(value).filter(it => !Array.isArray(it));
  const parameters = plain
    .filter(it => it.mimeType && it.parameters && typeof it.parameters === 'object')
    .map(it => it.parameters);
  pick([
    () => lists.length && pick(lists).splice(below(3), 1),
    () => lists.length && shuffle(pick(lists)),
    () => lists.length && (list => list.push(clone(pick(list))))(pick(lists)),
    () => set('profile-level-id', PROFILES),
    () => set('packetization-mode', [0, 1, '1', '0', '']),
    () => set('profile-id', [0, 1, 2, '2', '']),
    () => set('level-asymmetry-allowed', [0, 1, '1', '']),
    () => set('num_streams', [2, 4, 5, '4']),
    () => set('apt', [below(128)]),
    () => plain.forEach(it => it.mimeType && (it.mimeType = `${it.mimeType}`.toUpperCase())),
    () => plain.forEach(it => it.mimeType && chance(0.3) && delete it.rtcpFeedback),
    () => plain.forEach(it => it.mimeType && chance(0.3) && delete it.parameters),
    () => plain.forEach(it => it.uri && chance(0.3) && (it.preferredId = it.id = 1 + below(14))),
    () => plain.forEach(it => it.uri && chance(0.2) && (it.uri = PACKET_ID)),
    () => plain.forEach(it => it.direction && (it.direction = pick(DIRECTIONS))),
    () => plain.forEach(it => it.rid && (it.scalabilityMode = pick(MODES))),
    () => (value.encodings = pick(ENCODINGS)()),
    () => (value.rtcp = pick([{}, { cname: 'x', reducedSize: false }, { mux: false }])),
  ])();
}

// Applies a change that only a broken or hostile client would make: a field of another type, or none.
function mutateTypes(value) {
  const object = pick(everyObject(value).filter(it => Object.keys(it).length > 0));
  if (object === undefined) {
    return;
  }
  const key = pick(Object.keys(object));
  if (chance(0.3) && !Array.isArray(object)) {
    delete object[key];
  } else if (NUMBERS.includes(key)) {
    object[key] = pick([null, '', 0, 1, '1', 'odd', true, {}, []]);
  } else if (OBJECTS.includes(key)) {
    object[key] = pick([null, {}, 'odd', 1]);
  } else if (HINTS.includes(key)) {
    object[key] = pick([null, 0, 1, 5000000]);
  } else {
    object[key] = pick(ODD);
  }
}

// Returns an object without the fields that the engine does not read and without unset fields.
function known(object, optional, always) {
  const kept = {};
  for (const [key, type] of Object.entries(optional)) {
    const isSet = type === 'number' || type === 'boolean' || object[key];
    if (isSet && typeof object[key] === type) {
      kept[key] = object[key];
    }
  }
  always.forEach(key => (kept[key] = object[key]));
  return kept;
}

const plainObject = value => (Array.isArray(value) ? {} : value);

function knownCodec(codec) {
  const kept = known(
    codec,
    { kind: 'string', payloadType: 'number', preferredPayloadType: 'number', channels: 'number' },
    ['mimeType', 'clockRate'],
  );
  kept.parameters = plainObject(codec.parameters);
  kept.rtcpFeedback = codec.rtcpFeedback.map(it => known(it, {}, ['type', 'parameter']));
  return kept;
}

function knownParameters(parameters) {
  return (
    parameters && {
      ...known(parameters, { mid: 'string', msid: 'string' }, []),
      codecs: parameters.codecs.map(knownCodec).map(({ kind, ...it }) => it),
      headerExtensions: parameters.headerExtensions.map(it => ({
        ...known(it, {}, ['uri', 'id', 'encrypt']),
        parameters: plainObject(it.parameters),
      })),
      encodings: parameters.encodings.map(it => ({
        ...known(it, {
          ssrc: 'number', rid: 'string', codecPayloadType: 'number', dtx: 'boolean',
          scalabilityMode: 'string', maxBitrate: 'number', scaleResolutionDownBy: 'number',
        }, []),
        ...(it.rtx ? { rtx: { ssrc: it.rtx.ssrc } } : {}),
      })),
      rtcp: known(parameters.rtcp, { cname: 'string', mux: 'boolean' }, ['reducedSize']),
    }
  );
}

function knownCapabilities(capabilities) {
  const directions = ['sendrecv', 'sendonly', 'recvonly'];
  return (
    capabilities && {
      codecs: capabilities.codecs.map(knownCodec).map(({ payloadType, ...it }) => it),
      headerExtensions: capabilities.headerExtensions.map(it => ({
        ...known(it, {}, ['kind', 'uri', 'preferredId', 'preferredEncrypt']),
        direction: directions.includes(it.direction) ? it.direction : 'inactive',
      })),
    }
  );
}

function attempt(step) {
  try {
    return step();
  } catch (error) {
    return null;
  }
}

function generateCase(at) {
  const routerName = pick(Object.keys(routers));
  const [publisher, receiver] = [pick(Object.keys(browsers)), pick(Object.keys(browsers))];
  const kind = pick(['audio', 'video', 'video']);
  const mediaCodecs = clone(routers[routerName]);
  const plain = ortc.generateRouterRtpCapabilities(clone(mediaCodecs));
  let rtpParameters = sendParameters(kind, browsers[publisher], plain, pick, pick(ENCODINGS)());
  rtpParameters = clone(rtpParameters) || { codecs: [], encodings: [] };
  // Some clients send all of their capabilities with their own payload types.
  const rtpCapabilities = clone(
    chance(0.8) ? recvCapabilities(browsers[receiver], plain) : browsers[receiver]);
  const mutations = at % 4 === 0 ? 0 : 1 + below(4);
  for (let mutation = 0; mutation < mutations; ++mutation) {
    const targets = [mediaCodecs, rtpParameters, rtpParameters, rtpCapabilities, rtpCapabilities];
    const target = pick(targets);
    chance(0.7) ? mutatePlausibly(target) : mutateTypes(target);
  }
  // Mutations may have added these fields to the list.
  delete mediaCodecs.encodings;
  delete mediaCodecs.rtcp;
  return {
    name: `${at}: ${publisher} to ${receiver}, ${kind} over ${routerName}, ${mutations} changes`,
    kind, mediaCodecs, rtpParameters, rtpCapabilities, enableRtx: chance(0.8),
  };
}

function negotiate({ kind, mediaCodecs, rtpParameters, rtpCapabilities, enableRtx }) {
  const router = attempt(() => ortc.generateRouterRtpCapabilities(clone(mediaCodecs)));
  const parameters = attempt(() => {
    const given = clone(rtpParameters);
    ortc.validateAndNormalizeRtpParameters(given);
    return given;
  });
  const capabilities = attempt(() => {
    const given = clone(rtpCapabilities);
    ortc.validateAndNormalizeRtpCapabilities(given);
    return given;
  });
  const results = {
    router,
    parameters: clone(knownParameters(parameters)),
    capabilities: clone(knownCapabilities(capabilities)),
  };
  if (router === null || parameters === null) {
    return results;
  }
  // Sets the negotiated H.264 profile in the parameters.
  results.mapping = attempt(() => ortc.getProducerRtpParametersMapping(parameters, router));
  if (results.mapping === null) {
    return results;
  }
  results.settled = clone(knownParameters(parameters));
  const consumable = attempt(() =>
    ortc.getConsumableRtpParameters(kind, parameters, router, results.mapping));
  results.consumable = clone(knownParameters(consumable));
  if (consumable === null || capabilities === null) {
    return results;
  }
  results.canConsume = ortc.canConsume(consumable, clone(capabilities));
  results.consumer = clone(knownParameters(attempt(() =>
    ortc.getConsumerRtpParameters({
      consumableRtpParameters: clone(consumable),
      remoteRtpCapabilities: clone(capabilities),
      pipe: false,
      enableRtx,
    }))));
  return results;
}

for (let at = 0; at < count; ++at) {
  const given = generateCase(at);
  process.stdout.write(`${JSON.stringify({ given, expected: negotiate(given) })}\n`);
}
