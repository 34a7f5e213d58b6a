/** What a visitor should know of what was brought. */
export function Notes({of}: {readonly of: readonly string[]}) {
  if (of.length === 0) return null;
  return (
    <ul class="notes">
      {of.map(note => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}
