// Capabilities of browsers, as mediasoup-client reads them from SDP, and what it derives from them for
// a given router: the parameters to produce with, and the capabilities to consume with.
'use strict';

const VIDEO_FEEDBACK = [
  { type: 'goog-remb', parameter: '' },
  { type: 'transport-cc', parameter: '' },
  { type: 'ccm', parameter: 'fir' },
  { type: 'nack', parameter: '' },
  { type: 'nack', parameter: 'pli' },
];
const FIREFOX_FEEDBACK = VIDEO_FEEDBACK.filter(it => it.type !== 'goog-remb');
const MID = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const RID = 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id';
const REPAIRED_RID = 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id';
const SEND_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time';
const TRANSPORT_CC =
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';
const AUDIO_LEVEL = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
const DESCRIPTOR =
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';
const ORIENTATION = 'urn:3gpp:video-orientation';
const TOFFSET = 'urn:ietf:params:rtp-hdrext:toffset';
const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
const PLAYOUT_DELAY = 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay';
const PACKET_ID = 'urn:mediasoup:params:rtp-hdrext:packet-id';

function audio(name, pt, clockRate, channels, parameters = {}, feedback = []) {
  return {
    kind: 'audio',
    mimeType: `audio/${name}`,
    preferredPayloadType: pt,
    clockRate,
    channels,
    parameters,
    rtcpFeedback: feedback.map(type => ({ type, parameter: '' })),
  };
}

function video(name, pt, rtxPt, parameters = {}, feedback = VIDEO_FEEDBACK) {
  const codec = (mimeType, preferredPayloadType, its, rtcpFeedback) => ({
    kind: 'video',
    mimeType,
    preferredPayloadType,
    clockRate: 90000,
    parameters: its,
    rtcpFeedback,
  });
  const media = codec(`video/${name}`, pt, parameters, feedback);
  return rtxPt === undefined ? [media] : [media, codec('video/rtx', rtxPt, { apt: pt }, [])];
}

function h264(pt, rtxPt, profile, mode, feedback) {
  const parameters = { 'level-asymmetry-allowed': 1, 'profile-level-id': profile };
  if (mode !== undefined) {
    parameters['packetization-mode'] = mode;
  }
  return video('H264', pt, rtxPt, parameters, feedback);
}

function extensions(kind, uris, firstId = 1) {
  return uris.map((uri, at) => ({
    kind,
    uri,
    preferredId: firstId + at,
    preferredEncrypt: false,
    direction: 'sendrecv',
  }));
}

const chrome = {
  codecs: [
    audio('opus', 111, 48000, 2, { minptime: 10, useinbandfec: 1 }, ['transport-cc']),
    audio('red', 63, 48000, 2, { '111/111': '' }),
    audio('G722', 9, 8000, 1),
    audio('PCMU', 0, 8000, 1),
    audio('PCMA', 8, 8000, 1),
    audio('CN', 13, 8000, 1),
    audio('telephone-event', 110, 48000, 1),
    audio('telephone-event', 126, 8000, 1),
    ...video('VP8', 96, 97),
    ...h264(103, 104, '42001f', 1),
    ...h264(107, 108, '42001f', 0),
    ...h264(109, 114, '42e01f', 1),
    ...h264(115, 116, '42e01f', 0),
    ...h264(117, 118, '4d001f', 1),
    ...h264(39, 40, '4d001f', 0),
    ...video('AV1', 45, 46, { 'level-idx': 5, profile: 0, tier: 0 }),
    ...video('VP9', 98, 99, { 'profile-id': 0 }),
    ...video('VP9', 100, 101, { 'profile-id': 2 }),
    ...h264(119, 120, '64001f', 1),
    ...video('red', 121, 122, {}, []),
    ...video('ulpfec', 123, undefined, {}, []),
  ],
  headerExtensions: [
    ...extensions('audio', [AUDIO_LEVEL, SEND_TIME, TRANSPORT_CC, MID, CAPTURE_TIME]),
    ...extensions('video', [
      TOFFSET, SEND_TIME, ORIENTATION, TRANSPORT_CC, PLAYOUT_DELAY,
      'http://www.webrtc.org/experiments/rtp-hdrext/video-content-type',
      'http://www.webrtc.org/experiments/rtp-hdrext/video-timing',
      'http://www.webrtc.org/experiments/rtp-hdrext/color-space',
      MID, RID, REPAIRED_RID, DESCRIPTOR, CAPTURE_TIME,
    ]),
  ],
};

const firefox = {
  codecs: [
    audio('opus', 109, 48000, 2, { maxplaybackrate: 48000, stereo: 1, useinbandfec: 1 }),
    audio('G722', 9, 8000, 1),
    audio('PCMU', 0, 8000, 1),
    audio('PCMA', 8, 8000, 1),
    audio('telephone-event', 101, 8000, 1, { '0-15': '' }),
    ...video('VP8', 120, 124, { 'max-fs': 12288, 'max-fr': 60 }, FIREFOX_FEEDBACK),
    ...video('VP9', 121, 125, { 'max-fs': 12288, 'max-fr': 60 }, FIREFOX_FEEDBACK),
    ...h264(126, 127, '42e01f', 1, FIREFOX_FEEDBACK),
    ...h264(97, 98, '42e01f', undefined, FIREFOX_FEEDBACK),
    ...video('AV1', 99, 100, {}, FIREFOX_FEEDBACK),
  ],
  headerExtensions: [
    ...extensions('audio', [AUDIO_LEVEL, 'urn:ietf:params:rtp-hdrext:csrc-audio-level', MID]),
    ...extensions('video', [SEND_TIME, TOFFSET, TRANSPORT_CC, PLAYOUT_DELAY, MID, RID], 3),
  ],
};

const safari = {
  codecs: [
    audio('opus', 111, 48000, 2, { minptime: 10, useinbandfec: 1 }, ['transport-cc']),
    audio('PCMU', 0, 8000, 1),
    audio('PCMA', 8, 8000, 1),
    audio('CN', 13, 8000, 1),
    ...h264(96, 97, '640c1f', 1),
    ...h264(98, 99, '42e01f', 1),
    ...h264(100, 101, '640c1f', 0),
    ...video('H265', 104, 105, { 'level-id': 93, 'tx-mode': 'SRST' }),
    ...video('VP8', 106, 107),
    ...video('VP9', 108, 109, { 'profile-id': 0 }),
    ...video('VP9', 110, 111, { 'profile-id': 2 }),
  ],
  headerExtensions: [
    ...extensions('audio', [AUDIO_LEVEL, SEND_TIME, TRANSPORT_CC, MID]),
    ...extensions('video', [TOFFSET, SEND_TIME, ORIENTATION, TRANSPORT_CC, MID, RID, REPAIRED_RID]),
  ],
};

const browsers = { chrome, firefox, safari };

// Codecs of routers.
const routers = {
  meeting: [
    { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
    { kind: 'video', mimeType: 'video/VP8', clockRate: 90000,
      parameters: { 'x-google-start-bitrate': 1000 } },
    { kind: 'video', mimeType: 'video/VP9', clockRate: 90000, parameters: { 'profile-id': 2 } },
    { kind: 'video', mimeType: 'video/h264', clockRate: 90000,
      parameters: { 'packetization-mode': 1, 'profile-level-id': '4d0032',
                    'level-asymmetry-allowed': 1 } },
    { kind: 'video', mimeType: 'video/h264', clockRate: 90000,
      parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f',
                    'level-asymmetry-allowed': 1 } },
  ],
  modern: [
    { kind: 'audio', mimeType: 'audio/OPUS', clockRate: 48000, channels: 2,
      preferredPayloadType: 100, parameters: { useinbandfec: 1, usedtx: 1 } },
    { kind: 'video', mimeType: 'video/AV1', clockRate: 90000 },
    { kind: 'video', mimeType: 'video/VP9', clockRate: 90000, parameters: { 'profile-id': 0 } },
    { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 },
  ],
  telephony: [
    { mimeType: 'audio/PCMU', clockRate: 8000 },
    { mimeType: 'audio/PCMA', clockRate: 8000, channels: 1 },
    { mimeType: 'audio/G722', clockRate: 8000 },
    { mimeType: 'audio/CN', clockRate: 8000 },
    { mimeType: 'audio/telephone-event', clockRate: 8000 },
    { mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  ],
  surround: [
    { mimeType: 'audio/multiopus', clockRate: 48000, channels: 6,
      parameters: { channel_mapping: '0,4,1,2,3,5', num_streams: 4, coupled_streams: 2 } },
    { mimeType: 'audio/multiopus', clockRate: 48000, channels: 8,
      parameters: { num_streams: 5, coupled_streams: 3 } },
    { mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
    { mimeType: 'video/H264', clockRate: 90000 },
  ],
  hardware: [
    { mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
    { mimeType: 'video/H264', clockRate: 90000,
      parameters: { 'profile-level-id': '42e01f', 'packetization-mode': 0 } },
    { mimeType: 'video/H264', clockRate: 90000,
      parameters: { 'profile-level-id': '640032', 'packetization-mode': 1 } },
    { mimeType: 'video/H264', clockRate: 90000,
      parameters: { 'profile-level-id': '42100b', 'packetization-mode': 1,
                    'level-asymmetry-allowed': 0 } },
  ],
};

const isRtx = codec => codec.mimeType.toLowerCase().endsWith('/rtx');

function sameCodec(one, other) {
  const parameter = (codec, name) => (codec.parameters || {})[name] || 0;
  return (
    one.mimeType.toLowerCase() === other.mimeType.toLowerCase() &&
    one.clockRate === other.clockRate &&
    (one.channels || 1) === (other.channels || 1) &&
    parameter(one, 'packetization-mode') === parameter(other, 'packetization-mode') &&
    (!/vp9/i.test(one.mimeType) ||
      parameter(one, 'profile-id') === parameter(other, 'profile-id')) &&
    (!/h264/i.test(one.mimeType) ||
      String(parameter(one, 'profile-level-id')).slice(0, 2) ===
        String(parameter(other, 'profile-level-id')).slice(0, 2))
  );
}

// Returns the browser's codecs that the router has, paired with the router's.
function commonCodecs(browser, router) {
  return router.codecs
    .filter(theirs => !isRtx(theirs))
    .map(theirs => ({ theirs, own: browser.codecs.find(it => sameCodec(it, theirs)) }))
    .filter(pair => pair.own !== undefined);
}

// Returns the RTX codec of a codec.
function rtxOf(codec, capabilities) {
  return capabilities.codecs.find(it =>
    isRtx(it) && it.parameters.apt === codec.preferredPayloadType);
}

// Returns the capabilities that a client consumes with: its codecs with the router's payload types.
function recvCapabilities(browser, router) {
  const codecs = [];
  for (const { theirs, own } of commonCodecs(browser, router)) {
    codecs.push({ ...own, preferredPayloadType: theirs.preferredPayloadType });
    const rtx = rtxOf(theirs, router);
    if (rtx && rtxOf(own, browser)) {
      codecs.push({ ...rtx, rtcpFeedback: [] });
    }
  }
  const headerExtensions = router.headerExtensions
    .filter(it => it.direction !== 'recvonly')
    .filter(it => browser.headerExtensions.some(own => own.kind === it.kind && own.uri === it.uri));
  return { codecs, headerExtensions };
}

// Returns the parameters that a client produces with: one of the common codecs, with its own payload
// types.
function sendParameters(kind, browser, router, pick, encodings) {
  const candidates = commonCodecs(browser, router).filter(pair => pair.own.kind === kind);
  if (candidates.length === 0) {
    return undefined;
  }
  const { theirs, own } = pick(candidates);
  const rtx = rtxOf(own, browser);
  const codec = it => ({
    mimeType: it.mimeType,
    payloadType: it.preferredPayloadType,
    clockRate: it.clockRate,
    ...(it.channels === undefined ? {} : { channels: it.channels }),
    parameters: { ...it.parameters },
    rtcpFeedback: (it.rtcpFeedback || []).filter(fb =>
      (theirs.rtcpFeedback || []).some(its => its.type === fb.type)),
  });
  return {
    mid: '0',
    codecs: [codec(own), ...(rtx ? [codec(rtx)] : [])],
    headerExtensions: browser.headerExtensions
      .filter(it => it.kind === kind)
      .filter(it => router.headerExtensions.some(its => its.kind === kind && its.uri === it.uri))
      .map(it => ({ uri: it.uri, id: it.preferredId, encrypt: false, parameters: {} })),
    encodings,
    rtcp: { cname: 'bsrSPcZ1Fg6Bz7dZ', reducedSize: true, mux: true },
    msid: 'a1b2 c3d4',
  };
}

module.exports = { browsers, routers, recvCapabilities, sendParameters, PACKET_ID };
