export function Quantize() {
  return <section aria-labelledby="quantize" />;
}
