// Sends camera and microphone, and shows and plays every other page.
// The bundle of a CommonJS package has a default export only.
import mediasoupClient from '/mediasoup-client.js';

const POLL_MS = 500;

async function request(name, fields = {}) {
  const body = JSON.stringify({ request: name, ...fields });
  const response = await fetch('/api', { method: 'POST', body });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** Connects a transport to the server when mediasoup-client needs it. */
function connectOnDemand(transport) {
  transport.on('connect', ({ dtlsParameters }, done, failed) => {
    request('connectTransport', { transportId: transport.id, dtlsParameters }).then(done, failed);
  });
  return transport;
}

const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
const device = await mediasoupClient.Device.factory();
await device.load({ routerRtpCapabilities: await request('routerCapabilities') });
const { recvRtpCapabilities: rtpCapabilities } = device;

const send = connectOnDemand(device.createSendTransport(await request('createTransport')));
send.on('produce', ({ kind, rtpParameters }, done, failed) => {
  request('produce', { transportId: send.id, kind, rtpParameters }).then(done, failed);
});
for (const track of stream.getTracks()) await send.produce({ track });

// Without this request the server notices after the consent timeout.
window.addEventListener('pagehide', () => {
  const body = JSON.stringify({ request: 'closeTransport', transportId: send.id });
  navigator.sendBeacon('/api', body);
});

const receive = connectOnDemand(device.createRecvTransport(await request('createTransport')));
const videos = document.getElementById('videos');
const consumed = new Set();

async function consume({ producerId, transportId }) {
  const consumer = await receive.consume(
    await request('consume', { transportId: receive.id, producerId, rtpCapabilities }),
  );
  let video = document.getElementById(transportId);
  if (!video) {
    video = document.createElement('video');
    Object.assign(video, { id: transportId, autoplay: true, playsInline: true, srcObject: new MediaStream() });
    video.setAttribute('aria-label', 'Other page');
    videos.append(video);
  }
  video.srcObject.addTrack(consumer.track);
  await request('resumeConsumer', { consumerId: consumer.id });
}

document.querySelector('[role=status]').textContent = 'Connected';
for (;;) {
  const producers = await request('listProducers');
  for (const producer of producers) {
    if (producer.transportId === send.id || consumed.has(producer.producerId)) continue;
    consumed.add(producer.producerId);
    await consume(producer);
  }
  for (const video of [...videos.children]) {
    if (!producers.some(({ transportId }) => transportId === video.id)) video.remove();
  }
  await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
