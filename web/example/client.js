/**
 * The smallest complete client: joins a room, sends camera and microphone, and plays all others. It uses the package
 * `watersmeet-client`; `../client/README.md` describes that.
 */
import { join } from 'watersmeet-client';

const form = document.querySelector('form');
const status = document.querySelector('[role=status]');
const people = document.getElementById('people');

form.onsubmit = (event) => {
  event.preventDefault();
  form.hidden = true;
  start(form.elements.room.value).catch((error) => (status.textContent = error.message));
};

async function start(room) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
  const call = await join({ server: new URL('..', location.href), room, name: 'Example' });

  call.on('mediaAdded', (media) => {
    const video = videoOf(media.participant);
    video.srcObject.addTrack(media.track);
    call.subscribe(media, { height: video.height * devicePixelRatio });
  });
  call.on('mediaRemoved', ({ participant, track }) => videoOf(participant).srcObject.removeTrack(track));
  call.on('participantLeft', (participant) => videoOf(participant).remove());
  call.on('stateChanged', (state) => (status.textContent = state === 'connected' ? `In ${room}` : state));

  for (const track of stream.getTracks()) call.publish(track);
  status.textContent = `In ${room}`;
}

/** Returns the video element of a participant; creates it on first use. */
function videoOf({ id, name }) {
  const known = document.getElementById(id);
  if (known) return known;
  const video = document.createElement('video');
  Object.assign(video, { id, autoplay: true, playsInline: true, width: 320, height: 240, srcObject: new MediaStream() });
  video.setAttribute('aria-label', name);
  people.append(video);
  return video;
}
