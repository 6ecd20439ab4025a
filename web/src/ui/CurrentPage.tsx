/** Renders the page that `App.page` names. */
import { useEffect } from 'preact/hooks';
import type { App } from '../app';
import { currentLanguage, t } from '../i18n/translate';
import { LANGUAGES } from '../i18n/languages';
import { CallPage } from './CallPage';
import { LandingPage } from './LandingPage';
import { LeftPage } from './LeftPage';
import { LobbyPage } from './LobbyPage';
import { NotFoundPage } from './NotFoundPage';
import { WaitingPage } from './WaitingPage';

export function CurrentPage({ app }: { app: App }) {
  const page = app.page.value;
  const room = app.room.value;
  const roomTitle = app.roomTitle.value;
  const title = roomTitle ? t('page.title', { room: roomTitle }) : 'Watersmeet';
  const language = currentLanguage();
  useEffect(() => {
    document.title = title;
    document.documentElement.lang = language;
    document.documentElement.dir = LANGUAGES[language].direction;
  }, [title, language]);
  if (page === 'call' && room?.status.value === 'waiting') return <WaitingPage app={app} room={room} />;
  if (page === 'call' && room) return <CallPage app={app} room={room} />;
  if (page === 'lobby') return <LobbyPage app={app} />;
  if (page === 'left') return <LeftPage app={app} />;
  if (page === 'notFound') return <NotFoundPage app={app} />;
  return <LandingPage app={app} />;
}
