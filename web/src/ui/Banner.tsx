/** A present problem over the tiles, with the button that may solve it. */
import type { ComponentChildren } from 'preact';
import { t } from '../i18n/translate';
import { CloseIcon } from './icons';

interface BannerProps {
  role: 'alert' | 'status';
  icon?: ComponentChildren;
  children: ComponentChildren;
  button: string;
  onClick(): void;
  /** Hides the banner; absent where it stays for as long as the problem. */
  onDismiss?(): void;
}

export function Banner({ role, icon, children, button, onClick, onDismiss }: BannerProps) {
  return (
    <div class="banner" role={role}>
      {icon}
      <span>{children}</span>
      <button class="button small" type="button" onClick={onClick}>
        {button}
      </button>
      {onDismiss && (
        <button type="button" class="notification-close" aria-label={t('notifications.dismiss')} onClick={onDismiss}>
          <CloseIcon />
        </button>
      )}
    </div>
  );
}
