/** Plots as SVG texts, which need no document: what charts are made of. */

/** The colors of what is shown. */
export const COLORS = {gray: '#8a94a6', orange: '#e07a1f', green: '#3aa76d', blue: '#2f80ed'} as const;

/** A text of XML with what is special in it escaped. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, letter => `&#${letter.charCodeAt(0)};`);
}

type Attributes = Readonly<Record<string, string | number>>;

/** An element; numbers are written to a hundredth. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => {
    const text = typeof value === 'number' ? String(Math.round(value * 100) / 100) : escaped(value);
    return ` ${key}="${text}"`;
  });
  return `<${name}${written.join('')}>${content}</${name}>`;
}

/** A text at a place. */
export function label(text: string, x: number, y: number, attributes: Attributes = {}): string {
  return element('text', {x, y, ...attributes}, escaped(text));
}

/** A name that fits into so many letters: by its end, which tells layers apart. */
export function clipped(name: string, letters: number): string {
  return name.length <= letters ? name : `…${name.slice(name.length - letters + 1)}`;
}

/** A whole picture, on white, so that it can be read wherever it is put. */
export function picture(width: number, height: number, title: string, content: readonly string[]): string {
  const style = 'font: 12px system-ui, sans-serif; background: white';
  const attributes = {xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}`, style};
  const ground = element('rect', {width, height, fill: 'white'});
  return element(
    'svg',
    {...attributes, role: 'img'},
    [element('title', {}, escaped(title)), ground, ...content].join(''),
  );
}

/** Round numbers that cover a span, about as many as asked for. */
export function ticksOf(low: number, high: number, about = 5): number[] {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(each => each * power).find(each => each >= rough)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({length: last - first + 1}, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
