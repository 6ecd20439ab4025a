/** Components that are loaded when they are first shown, so that the first visit stays small. */
import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';

/** Returns a component that is empty until `load` has its code. `onFailure` is called when that is out of reach. */
export function onDemand<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): FunctionComponent<Props & { onFailure(): void }> {
  const loaded = signal<FunctionComponent<Props> | null>(null);
  return ({ onFailure, ...props }) => {
    const Component = loaded.value;
    useEffect(() => {
      if (Component) return;
      load().then(
        (component) => void (loaded.value = component),
        () => onFailure(),
      );
    }, []);
    return Component && <Component {...(props as unknown as Props)} />;
  };
}
