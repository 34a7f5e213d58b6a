export function Model() {
  return <section aria-labelledby="model" />;
}
