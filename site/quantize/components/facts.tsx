/** Names with what they are. */
import type {ComponentChildren} from 'preact';

export function Facts({of}: {readonly of: Readonly<Record<string, ComponentChildren>>}) {
  return (
    <dl class="facts">
      {Object.entries(of).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
