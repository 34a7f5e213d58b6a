export function Samples() {
  return <section aria-labelledby="samples" />;
}
