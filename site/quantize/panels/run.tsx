export function Run() {
  return <section aria-labelledby="run" />;
}
