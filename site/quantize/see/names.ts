/** Names of layers: those of graphs are paths that begin alike. */

/** Each name without the path that all that have one share. */
export function shortNames(names: readonly string[]): (name: string) => string {
  const paths = names.map(name => name.split('/')).filter(parts => parts.length > 1);
  const [first = []] = paths;
  let shared = 0;
  while (paths.length > 0 && paths.every(parts => shared < parts.length - 1 && parts[shared] === first[shared]))
    shared++;
  const prefix = first
    .slice(0, shared)
    .map(part => `${part}/`)
    .join('');
  return name => (name.startsWith(prefix) ? name.slice(prefix.length) : name);
}
