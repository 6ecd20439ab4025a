/** Pending requests to a host, as one line over the tiles; the participants panel lists them all. */
import type { ComponentChildren } from 'preact';
import type { Requester } from '../moderation';
import type { Room } from '../room';

export function HostRequests({ room, showPanel }: { room: Room; showPanel(): void }) {
  const { moderation } = room;
  const [joining, ...moreJoining] = moderation.joinRequests.value;
  const [speaking, ...moreSpeaking] = moderation.speakRequests.value;
  if (joining && moreJoining.length > 0) {
    return <SeveralRequests text={`${moreJoining.length + 1} people wait to come in`} showPanel={showPanel} />;
  }
  if (joining) {
    return (
      <SingleRequest requester={joining} text="waits to come in">
        <button class="button small" type="button" onClick={() => moderation.deny(joining)}>
          Deny
        </button>
        <button class="button small primary" type="button" onClick={() => moderation.admit(joining)}>
          Admit
        </button>
      </SingleRequest>
    );
  }
  if (speaking && moreSpeaking.length > 0) {
    return <SeveralRequests text={`${moreSpeaking.length + 1} people ask to speak`} showPanel={showPanel} />;
  }
  if (speaking) {
    return (
      <SingleRequest requester={speaking} text="asks to speak">
        <button class="button small" type="button" onClick={() => moderation.dismissSpeakRequest(speaking.id)}>
          Not now
        </button>
        <button class="button small primary" type="button" onClick={() => moderation.promote(speaking.id)}>
          Allow
        </button>
      </SingleRequest>
    );
  }
  return null;
}

interface SingleRequestProps {
  requester: Requester;
  text: string;
  children: ComponentChildren;
}

function SingleRequest({ requester, text, children }: SingleRequestProps) {
  return (
    <section class="request" aria-label="Request">
      <p role="status">
        <strong>{requester.label}</strong> {text}
      </p>
      <div class="request-buttons" role="group" aria-label={requester.label}>
        {children}
      </div>
    </section>
  );
}

function SeveralRequests({ text, showPanel }: { text: string; showPanel(): void }) {
  return (
    <section class="request" aria-label="Request">
      <p role="status">{text}</p>
      <div class="request-buttons">
        <button class="button small primary" type="button" onClick={showPanel}>
          Show
        </button>
      </div>
    </section>
  );
}
