/** Icons: one stroke width, a 24×24 grid, in the colour of the surrounding text. */
import type { ComponentChildren } from 'preact';

/** `directed` icons point the other way where text runs from right to left. */
function Icon({ children, directed = false }: { children: ComponentChildren; directed?: boolean }) {
  return (
    <svg class={directed ? 'icon directed' : 'icon'} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const SLASH = <path d="M4 4l16 16" />;

export const MicIcon = ({ off = false }: { off?: boolean }) => (
  <Icon>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
    {off && SLASH}
  </Icon>
);

export const PictureIcon = () => (
  <Icon>
    <rect x="3.5" y="5" width="17" height="14" rx="2" />
    <path d="M4 16l5-5 4 4 2.5-2.5 4.5 4.5" />
  </Icon>
);

export const SpeakingIcon = () => (
  <Icon>
    <path d="M5 10v4M9.7 6.5v11M14.3 9v6M19 5v14" />
  </Icon>
);

export const SpotlightIcon = () => (
  <Icon>
    <path d="M12 3.5l2.5 5.4 5.9.7-4.4 4 1.2 5.8L12 16.5l-5.2 2.9L8 13.6l-4.4-4 5.9-.7z" />
  </Icon>
);

export const CameraIcon = ({ off = false }: { off?: boolean }) => (
  <Icon>
    <rect x="3" y="6.5" width="12" height="11" rx="2.5" />
    <path d="M15 10.8l4.6-2.6a.9.9 0 0 1 1.4.8v6a.9.9 0 0 1-1.4.8L15 13.2" />
    {off && SLASH}
  </Icon>
);

export const LeaveIcon = () => (
  <Icon>
    <path d="M3.2 13.9c-.6-1-.4-2.3.5-3.1 4.9-4 11.7-4 16.6 0 .9.8 1.1 2.1.5 3.1l-.6.9c-.4.7-1.3 1-2.1.7l-2.3-.9c-.7-.3-1.2-1-1.2-1.7v-1.3a12 12 0 0 0-5.2 0v1.3c0 .7-.5 1.4-1.2 1.7l-2.3.9c-.8.3-1.7 0-2.1-.7z" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8.5" r="3.5" />
    <path d="M2.5 19.5c.6-3.4 3.3-5.5 6.5-5.5s5.9 2.1 6.5 5.5M16 5.3a3.5 3.5 0 0 1 0 6.4M18 14.6c1.9.8 3.2 2.5 3.5 4.9" />
  </Icon>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M10 14a4 4 0 0 0 5.7 0l3.3-3.3a4 4 0 0 0-5.7-5.7L12.2 6.1M14 10a4 4 0 0 0-5.7 0L5 13.3A4 4 0 0 0 10.7 19l1.1-1.1" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="M5 12.5l4.5 4.5L19 7.5" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="M6 6l12 12M18 6L6 18" />
  </Icon>
);

export const TuneIcon = () => (
  <Icon>
    <path d="M4 7h9M19 7h1M4 17h1M11 17h9" />
    <circle cx="16" cy="7" r="2.5" />
    <circle cx="8" cy="17" r="2.5" />
  </Icon>
);

export const HandIcon = () => (
  <Icon>
    <path d="M7 13V6.5a1.5 1.5 0 0 1 3 0V11M10 11V4.5a1.5 1.5 0 0 1 3 0V11M13 11V5.5a1.5 1.5 0 0 1 3 0V12M16 9.5a1.5 1.5 0 0 1 3 0V14a7 7 0 0 1-7 7c-2.6 0-4.3-1.2-5.6-3.3L4 14a1.6 1.6 0 0 1 2.6-1.8L8.5 14.5" />
  </Icon>
);

export const ChatIcon = () => (
  <Icon>
    <path d="M5.5 4.5h13A2.5 2.5 0 0 1 21 7v7.5a2.5 2.5 0 0 1-2.5 2.5H11l-4.5 3.5V17h-1A2.5 2.5 0 0 1 3 14.5V7a2.5 2.5 0 0 1 2.5-2.5zM8 9h8M8 12.5h5" />
  </Icon>
);

export const SendIcon = () => (
  <Icon directed>
    <path d="M4.5 5l15.5 7-15.5 7 2.3-7zM6.8 12H13" />
  </Icon>
);

export const MoreIcon = () => (
  <Icon>
    <path d="M6 12v.1M12 12v.1M18 12v.1" />
  </Icon>
);

export const ArrowIcon = () => (
  <Icon directed>
    <path d="M5 12h14M13 6l6 6-6 6" />
  </Icon>
);

export const AlertIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="9" />
    <path d="M12 7.5v5.5M12 16.3v.1" />
  </Icon>
);

export const SoundIcon = () => (
  <Icon>
    <path d="M4 10v4h3.5L12 18V6L7.5 10zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11" />
  </Icon>
);

export const WeakSignalIcon = () => (
  <Icon>
    <path d="M5 19v-4" />
    <path class="faint" d="M12 19v-9M19 19V5" />
  </Icon>
);

export const ScreenIcon = () => (
  <Icon>
    <rect x="3" y="4" width="18" height="12.5" rx="2.5" />
    <path d="M12 13V8M9.5 10L12 7.5l2.5 2.5M8 20.5h8" />
  </Icon>
);

export const PinIcon = () => (
  <Icon>
    <path d="M9 3.5h6l-.8 6.2 3.3 3.8v1.5h-11v-1.5l3.3-3.8zM12 15v6" />
  </Icon>
);

export const FullScreenIcon = () => (
  <Icon>
    <path d="M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9M15 4h3.5A1.5 1.5 0 0 1 20 5.5V9M20 15v3.5a1.5 1.5 0 0 1-1.5 1.5H15M9 20H5.5A1.5 1.5 0 0 1 4 18.5V15" />
  </Icon>
);

export const LayoutIcon = () => (
  <Icon directed>
    <rect x="3" y="4" width="18" height="16" rx="2.5" />
    <path d="M15 4v16M15 9.3h6M15 14.7h6" />
  </Icon>
);

export const PreviousIcon = () => (
  <Icon directed>
    <path d="M14.5 6l-6 6 6 6" />
  </Icon>
);

export const NextIcon = () => (
  <Icon directed>
    <path d="M9.5 6l6 6-6 6" />
  </Icon>
);

/** A picture with a pause sign before it. */
export const SaveDataIcon = () => (
  <Icon>
    <rect x="3" y="5" width="18" height="14" rx="2.5" />
    <path d="M10 9.5v5M14 9.5v5" />
  </Icon>
);

/** The logo: two streams that become one. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect class="mark-ground" width="32" height="32" rx="8" />
    <path class="mark-one" d="M8 7c0 7 8 6 8 12v7" />
    <path class="mark-two" d="M24 7c0 7-8 6-8 12" />
  </svg>
);

export const GlobeIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17" />
  </Icon>
);
