/** The call itself: a bar above, the people in the middle, the controls below. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import type { Room } from '../room';
import { Controls } from './Controls';
import { CopyLink } from './CopyLink';
import { DevicesDialog } from './DevicesDialog';
import { CloseIcon, Mark, PeopleIcon, SoundIcon } from './icons';
import { People } from './People';
import { Requests } from './Requests';
import { Sound } from './Sound';
import { Stage } from './Stage';
import { troubleText } from './sentences';

export function Call({ app, room }: { app: App; room: Room }) {
  const panel = useSignal(false);
  const devices = useSignal(false);
  useShortcuts({
    m: () => app.toggle('microphone'),
    v: () => app.toggle('camera'),
    p: () => (panel.value = !panel.value),
  });
  useTroubles(app, room);
  const people = room.people.value;
  return (
    <div class="call">
      <header class="bar">
        <Mark />
        <h1 class="bar-room" title={room.id}>
          {room.id}
        </h1>
        <Connection room={room} />
        <div class="bar-end">
          <CopyLink link={app.link} />
          <button
            type="button"
            class="chip"
            aria-label={`Participants (${people.length + 1})`}
            aria-expanded={panel.value}
            aria-keyshortcuts="p"
            title="Participants (P)"
            onClick={() => (panel.value = !panel.value)}
          >
            <PeopleIcon />
            <span>{people.length + 1}</span>
          </button>
        </div>
      </header>
      <main class="call-main">
        <div class="floor">
          <Stage app={app} room={room} />
          <div class="notices">
            <Banner app={app} room={room} />
            {!panel.value && <Requests room={room} show={() => (panel.value = true)} />}
            <Words room={room} />
          </div>
        </div>
        {panel.value && <People app={app} room={room} close={() => (panel.value = false)} />}
      </main>
      <Controls app={app} room={room} openDevices={() => (devices.value = true)} />
      {devices.value && <DevicesDialog capture={app.capture} close={() => (devices.value = false)} />}
      {people.map(
        (person) =>
          person.audio.value && (
            <Sound
              key={person.id}
              track={person.audio.value}
              label={`${person.label}'s voice`}
              blocked={app.soundBlocked}
            />
          ),
      )}
    </div>
  );
}

function Connection({ room }: { room: Room }) {
  const status = room.status.value;
  const [tone, text] =
    status === 'joining'
      ? ['waiting', 'Connecting…']
      : status === 'reconnecting'
        ? ['bad', 'Reconnecting…']
        : room.mediaTroubled.value
          ? ['bad', 'Poor connection']
          : ['good', 'Connected'];
  return (
    <p class={`connection ${tone}`} role="status" aria-label="Connection">
      <span class="dot" aria-hidden="true" />
      <span class="connection-text">{text}</span>
    </p>
  );
}

/** What stands in the way right now, with the one button that may help. */
function Banner({ app, room }: { app: App; room: Room }) {
  if (room.status.value === 'reconnecting') {
    return (
      <div class="banner" role="alert">
        <span>The connection was lost. Getting you back in…</span>
        <button class="button small" type="button" onClick={() => room.retryNow()}>
          Try now
        </button>
      </div>
    );
  }
  if (app.soundBlocked.value) {
    return (
      <div class="banner" role="alert">
        <SoundIcon />
        <span>Your browser holds back the sound.</span>
        <button class="button small" type="button" onClick={() => (app.soundBlocked.value = false)}>
          Play sound
        </button>
      </div>
    );
  }
  return null;
}

function Words({ room }: { room: Room }) {
  return (
    <ul class="words" role="log" aria-label="Messages">
      {room.words.value.map((word) => (
        <li key={word.id} class={`word ${word.tone}`}>
          <span>{word.text}</span>
          <button type="button" class="word-close" aria-label="Dismiss" onClick={() => room.dismiss(word.id)}>
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Says once what is wrong with a device when it goes wrong during the call. */
function useTroubles(app: App, room: Room): void {
  const camera = app.capture.cameraTrouble.value;
  const microphone = app.capture.microphoneTrouble.value;
  useEffect(() => {
    if (camera) room.say(troubleText(camera === microphone ? 'both' : 'camera', camera), 'bad');
    if (microphone && microphone !== camera) room.say(troubleText('microphone', microphone), 'bad');
  }, [camera, microphone, room]);
}

/** Single letters, while nobody is typing. */
function useShortcuts(actions: Record<string, () => void>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (target?.closest('input, select, textarea, dialog')) return;
      actions[event.key.toLowerCase()]?.();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });
}
