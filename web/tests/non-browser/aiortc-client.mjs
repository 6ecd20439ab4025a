/**
 * A client with mediasoup-client-aiortc, the handler of mediasoup-client for Node.js: joins a room of
 * the native dialect, publishes a picture and a tone, and publishes once more whatever it receives
 * first of each kind. The receiver of that echo proves that this client decoded it.
 *
 * usage: node aiortc-client.mjs URL ROOM; runs until its standard input ends
 */
import { createRequire } from 'node:module';

// The packages are installed outside of this folder: see scripts/non-browser-clients.
const require = createRequire(`${process.env.CLIENT_MODULES}/`);
const { createWorker } = require('mediasoup-client-aiortc');
const { Device } = require('mediasoup-client');
const WebSocket = require('ws');

const [url, roomId] = process.argv.slice(2);

/** Sends requests of the native dialect and matches replies by id. */
class Signalling {
  #socket;
  #pending = new Map();
  #lastId = 0;

  constructor(socket, onNotice) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const { type, payload, id } = JSON.parse(data);
      if (id === undefined) return onNotice(type, payload);
      const { resolve, reject } = this.#pending.get(id);
      this.#pending.delete(id);
      if (type === 'error') reject(new Error(payload.message));
      else resolve(payload);
    });
  }

  request(type, payload) {
    this.#lastId += 1;
    const id = String(this.#lastId);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ type, payload, id }));
    });
  }
}

const fail = (error) => {
  console.error(error);
  process.exit(1);
};
process.on('unhandledRejection', fail);

const worker = await createWorker({ logLevel: 'warn' });
worker.on('died', fail);
const socket = new WebSocket(url);
await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));

/** Producers of others that wait for the receive transport. */
const announced = [];
let announce = (producerId) => announced.push(producerId);
const signalling = new Signalling(socket, (type, payload) => {
  if (type === 'newProducer') announce(payload.producerId);
});

const { rtpCapabilities } = await signalling.request('getRouterRtpCapabilities', {});
const { existingProducers } = await signalling.request('joinRoom', { roomId, displayName: 'aiortc' });
for (const { producers } of existingProducers) announced.push(...producers.map(({ producerId }) => producerId));

/**
 * Creates a transport on a device of its own. A device passes one handler id to the Python worker,
 * whatever the number of its transports, and a second transport would replace the first one's
 * connection: nothing more would be sent, and the first `consume` would fail.
 */
async function createTransport(direction) {
  const device = new Device({ handlerFactory: worker.createHandlerFactory() });
  await device.load({ routerRtpCapabilities: rtpCapabilities });
  const { transportId, ...created } = await signalling.request('createTransport', { direction });
  const options = { id: transportId, ...created };
  const transport = direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
  transport.on('connect', ({ dtlsParameters }, done, failed) => {
    signalling.request('connectTransport', { transportId, dtlsParameters }).then(() => done(), failed);
  });
  transport.on('produce', ({ kind, rtpParameters }, done, failed) => {
    signalling
      .request('produce', { transportId, kind, rtpParameters })
      .then(({ producerId }) => done({ id: producerId }), failed);
  });
  return { device, transport };
}

const { transport: send } = await createTransport('send');
const { device: receiver, transport: recv } = await createTransport('recv');
// FFmpeg makes both: a moving picture and a tone.
const stream = await worker.getUserMedia({
  audio: { source: 'file', file: 'sine=frequency=440:sample_rate=48000', format: 'lavfi' },
  video: { source: 'file', file: 'testsrc=size=320x240:rate=15', format: 'lavfi' },
});
for (const track of [...stream.getVideoTracks(), ...stream.getAudioTracks()]) await send.produce({ track });

/** Kinds that are echoed already. */
const echoed = new Set();
async function consume(producerId) {
  const capabilities = receiver.recvRtpCapabilities ?? receiver.rtpCapabilities;
  const consumed = await signalling.request('consume', { producerId, rtpCapabilities: capabilities });
  const { consumerId, kind, rtpParameters } = consumed;
  const consumer = await recv.consume({ id: consumerId, producerId, kind, rtpParameters });
  await signalling.request('resumeConsumer', { consumerId });
  if (echoed.has(kind)) return;
  echoed.add(kind);
  await send.produce({ track: consumer.track });
}

// One at a time: each changes the session description.
let turn = Promise.resolve();
announce = (producerId) => {
  turn = turn.then(() => consume(producerId));
};
for (const producerId of announced.splice(0)) announce(producerId);

process.stdin.resume().on('end', () => {
  worker.close();
  socket.close();
});
