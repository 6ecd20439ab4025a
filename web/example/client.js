/**
 * A minimal complete client: joins a room, sends camera and microphone, and plays
 * all others. It uses the protocol's first version: requests have no ids, so that
 * replies are matched by type. Read it from top to bottom; `../src` is the full client.
 */
import { Device } from 'mediasoup-client';

const form = document.querySelector('form');
const status = document.querySelector('[role=status]');
const people = document.getElementById('people');

form.onsubmit = (event) => {
  event.preventDefault();
  form.hidden = true;
  join(form.elements.room.value).catch((error) => (status.textContent = error.message));
};

async function join(roomId) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
  const server = await connect();
  const device = await Device.factory();

  const { rtpCapabilities } = await server.request('getRouterRtpCapabilities', {}, 'routerRtpCapabilities');
  await device.load({ routerRtpCapabilities: rtpCapabilities });

  // Others may produce as soon as we have joined; consuming waits for the receive transport.
  let setReceiveTransport;
  const receiveTransport = new Promise((resolve) => (setReceiveTransport = resolve));
  const consume = async ({ producerId }) => {
    const receive = await receiveTransport;
    const request = { producerId, rtpCapabilities: device.recvRtpCapabilities };
    const { consumerId, producerPeerId, kind, rtpParameters } = await server.request('consume', request, 'consumed');
    const consumer = await receive.consume({ id: consumerId, producerId, kind, rtpParameters });
    playTrack(producerPeerId, consumer.track);
    await server.request('resumeConsumer', { consumerId }, 'consumerResumed');
  };
  server.onNotice('newProducer', consume);
  server.onNotice('peerLeft', ({ peerId }) => document.getElementById(peerId)?.remove());
  const { existingProducers } = await server.request('joinRoom', { roomId }, 'roomJoined');

  // Send: one transport with a producer for the camera and one for the microphone.
  const send = device.createSendTransport(await createTransport(server, 'send'));
  send.on('connect', ({ dtlsParameters }, done, failed) => {
    server.request('connectTransport', { transportId: send.id, dtlsParameters }, 'transportConnected').then(done, failed);
  });
  send.on('produce', ({ kind, rtpParameters }, done, failed) => {
    server
      .request('produce', { transportId: send.id, kind, rtpParameters }, 'produced')
      .then(({ producerId }) => done({ id: producerId }), failed);
  });
  for (const track of [...stream.getVideoTracks(), ...stream.getAudioTracks()]) await send.produce({ track });

  // Receive: one transport with a consumer for each producer of the others.
  const receive = device.createRecvTransport(await createTransport(server, 'recv'));
  receive.on('connect', ({ dtlsParameters }, done, failed) => {
    server.request('connectTransport', { transportId: receive.id, dtlsParameters }, 'transportConnected').then(done, failed);
  });
  setReceiveTransport(receive);
  for (const { producers } of existingProducers) for (const producer of producers) await consume(producer);
  status.textContent = `In ${roomId}`;
}

async function createTransport(server, direction) {
  const { transportId, ...parameters } = await server.request('createTransport', { direction }, 'transportCreated');
  return { id: transportId, ...parameters };
}

/** Plays a track in its participant's video element; creates that on first use. */
function playTrack(peerId, track) {
  let video = document.getElementById(peerId);
  if (!video) {
    video = Object.assign(document.createElement('video'), { id: peerId, autoplay: true, playsInline: true, width: 320 });
    video.setAttribute('aria-label', peerId);
    video.srcObject = new MediaStream();
    people.append(video);
  }
  video.srcObject.addTrack(track);
}

/** Opens the socket. `request` sends a request and waits for a reply of the given type, one at a time. */
function connect() {
  const socket = new WebSocket(new URL('../ws', location.href).href.replace(/^http/, 'ws'));
  const listeners = new Map();
  let pending = null;
  let queue = Promise.resolve();

  const server = {
    request(type, payload, reply) {
      const result = queue.then(
        () =>
          new Promise((resolve, reject) => {
            pending = { reply, resolve, reject };
            socket.send(JSON.stringify({ type, payload }));
          }),
      );
      queue = result.catch(() => undefined);
      return result;
    },
    onNotice: (type, listener) => listeners.set(type, listener),
  };

  return new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error('The server cannot be reached.'));
    socket.onmessage = ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === 'connected') resolve(server);
      else if (type === pending?.reply) pending.resolve(payload);
      else if (type === 'error') pending?.reject(new Error(payload.message));
      else listeners.get(type)?.(payload);
    };
  });
}
