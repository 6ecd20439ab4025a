/**
 * The smallest complete client: joins a room, sends camera and microphone, shows
 * and plays everyone else. It speaks only the protocol's first description: no
 * ids on requests, so that a reply is known by its type. Read it from the top;
 * `src` next door is the same with everything a product needs.
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

  const { rtpCapabilities } = await server.ask('getRouterRtpCapabilities', {}, 'routerRtpCapabilities');
  await device.load({ routerRtpCapabilities: rtpCapabilities });

  // Others may publish from the moment we are in; they are received once there is a transport for it.
  let receiveOn;
  const receiving = new Promise((resolve) => (receiveOn = resolve));
  const consume = async ({ producerId }) => {
    const receive = await receiving;
    const wanted = { producerId, rtpCapabilities: device.recvRtpCapabilities };
    const { consumerId, producerPeerId, kind, rtpParameters } = await server.ask('consume', wanted, 'consumed');
    const consumer = await receive.consume({ id: consumerId, producerId, kind, rtpParameters });
    show(producerPeerId, consumer.track);
    await server.ask('resumeConsumer', { consumerId }, 'consumerResumed');
  };
  server.hear('newProducer', consume);
  server.hear('peerLeft', ({ peerId }) => document.getElementById(peerId)?.remove());
  const { existingProducers } = await server.ask('joinRoom', { roomId }, 'roomJoined');

  // Send: one transport, the camera's producer, the microphone's producer.
  const send = device.createSendTransport(await transport(server, 'send'));
  send.on('connect', ({ dtlsParameters }, done, failed) => {
    server.ask('connectTransport', { transportId: send.id, dtlsParameters }, 'transportConnected').then(done, failed);
  });
  send.on('produce', ({ kind, rtpParameters }, done, failed) => {
    server
      .ask('produce', { transportId: send.id, kind, rtpParameters }, 'produced')
      .then(({ producerId }) => done({ id: producerId }), failed);
  });
  for (const track of [...stream.getVideoTracks(), ...stream.getAudioTracks()]) await send.produce({ track });

  // Receive: one transport, a consumer for everything the others send.
  const receive = device.createRecvTransport(await transport(server, 'recv'));
  receive.on('connect', ({ dtlsParameters }, done, failed) => {
    server.ask('connectTransport', { transportId: receive.id, dtlsParameters }, 'transportConnected').then(done, failed);
  });
  receiveOn(receive);
  for (const { producers } of existingProducers) for (const producer of producers) await consume(producer);
  status.textContent = `In ${roomId}`;
}

async function transport(server, direction) {
  const { transportId, ...parameters } = await server.ask('createTransport', { direction }, 'transportCreated');
  return { id: transportId, ...parameters };
}

/** Plays a track in its person's element, which is made when they are first seen or heard. */
function show(peerId, track) {
  let video = document.getElementById(peerId);
  if (!video) {
    video = Object.assign(document.createElement('video'), { id: peerId, autoplay: true, playsInline: true, width: 320 });
    video.setAttribute('aria-label', peerId);
    video.srcObject = new MediaStream();
    people.append(video);
  }
  video.srcObject.addTrack(track);
}

/** Opens the socket. `ask` sends a request and waits for the reply of its type, one request at a time. */
function connect() {
  const socket = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
  const listeners = new Map();
  let answered = null;
  let queue = Promise.resolve();

  const server = {
    ask(type, payload, reply) {
      const asked = queue.then(
        () =>
          new Promise((resolve, reject) => {
            answered = { reply, resolve, reject };
            socket.send(JSON.stringify({ type, payload }));
          }),
      );
      queue = asked.catch(() => undefined);
      return asked;
    },
    hear: (type, listener) => listeners.set(type, listener),
  };

  return new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error('The server cannot be reached.'));
    socket.onmessage = ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === 'connected') resolve(server);
      else if (type === answered?.reply) answered.resolve(payload);
      else if (type === 'error') answered?.reject(new Error(payload.message));
      else listeners.get(type)?.(payload);
    };
  });
}
