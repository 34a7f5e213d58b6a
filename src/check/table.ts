/** Tables for people to read. */

/** Lines of columns that stand below each other, under their heads. */
export function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...cells.map(row => row[column]!.length)));
  return cells.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
