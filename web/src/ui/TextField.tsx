/** Labelled text input with an error message below. */
import { useId } from 'preact/hooks';

interface TextFieldProps {
  label: string;
  value: string;
  placeholder?: string;
  problem?: string;
  autofocus?: boolean;
  autocomplete?: 'name' | 'off';
  spellcheck?: boolean;
  onInput(value: string): void;
}

export function TextField({ label, problem = '', onInput, autocomplete = 'off', ...rest }: TextFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        autocomplete={autocomplete}
        aria-invalid={problem !== ''}
        aria-describedby={problem ? `${id}-problem` : undefined}
        onInput={(event) => onInput(event.currentTarget.value)}
        {...rest}
      />
      {problem && (
        <p class="field-problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
