/** Where a plot is to be: the script of the page fills it. */
export function placeOf(name, caption, inside = '') {
  return `\n<figure class="plot" data-plot="${name}">\n\n${inside}\n\n<figcaption>${caption}</figcaption>\n</figure>\n`;
}

/** Markdown with a plot before the first table under a heading. */
export function beforeTable(markdown, heading, place) {
  const at = markdown.indexOf(`\n## ${heading}\n`);
  const table = markdown.indexOf('\n|', at);
  if (at < 0 || table < 0) throw new Error(`There is no table under "${heading}", before which a plot was to be.`);
  return `${markdown.slice(0, table)}${place}${markdown.slice(table)}`;
}
