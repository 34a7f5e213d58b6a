export function Files() {
  return <section aria-labelledby="files" />;
}
