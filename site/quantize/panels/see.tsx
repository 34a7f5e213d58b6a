export function See() {
  return <section aria-labelledby="see" />;
}
