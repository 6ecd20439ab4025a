/** Labelled select. */
import { useId } from 'preact/hooks';

interface SelectFieldProps<T extends string> {
  label: string;
  choices: { value: T; text: string }[];
  chosen: T;
  /** Whether the label stands beside the select instead of above it. */
  isInline?: boolean;
  /** Shown while there are no choices. */
  emptyText?: string;
  choose(value: T): void;
}

export function SelectField<T extends string>({ label, choices, chosen, isInline = false, emptyText, choose }: SelectFieldProps<T>) {
  const id = useId();
  return (
    <div class={isInline ? 'field inline' : 'field'}>
      <label for={id}>{label}</label>
      <div class="select">
        <select
          id={id}
          disabled={choices.length === 0}
          value={chosen}
          onChange={(event) => {
            const value = event.currentTarget.value;
            const wanted = choices.find((choice) => choice.value === value);
            if (wanted) choose(wanted.value);
          }}
        >
          {choices.length === 0 && <option value={chosen}>{emptyText}</option>}
          {choices.map(({ value, text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}
