/** One labelled line of text, with what is wrong with it below. */
import { useId } from 'preact/hooks';

interface FieldProps {
  label: string;
  value: string;
  placeholder?: string;
  problem?: string;
  most?: number;
  autofocus?: boolean;
  autocomplete?: 'name' | 'off';
  spellcheck?: boolean;
  onInput(value: string): void;
}

export function Field({ label, problem = '', most, onInput, autocomplete = 'off', ...rest }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        maxLength={most}
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
