/** Select of a host for the participants who may write in the chat. */
import { t } from '../i18n/translate';
import type { ChatPolicy } from '../protocol';
import type { Room } from '../room';
import { SelectField } from './SelectField';

const POLICIES: ChatPolicy[] = ['everybody', 'hosts'];

interface ChatPolicyFieldProps {
  room: Room;
  label: string;
  isInline?: boolean;
}

export function ChatPolicyField({ room: { moderation, conversation }, label, isInline = false }: ChatPolicyFieldProps) {
  return (
    <SelectField
      isInline={isInline}
      label={label}
      choices={POLICIES.map((value) => ({ value, text: t(`chat.policy.${value}`) }))}
      chosen={conversation.chat.policy.value}
      choose={(value) => moderation.setChatPolicy(value)}
    />
  );
}
