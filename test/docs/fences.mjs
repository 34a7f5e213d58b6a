/** The fenced blocks of documents. */

/** Where it opens, what it is called, what is in it, where it closes. Blocks in lists are indented. */
const FENCE = /^( *)```(.*)\n((?:.*\n)*?)\1```$/gm;

/** A block of a language that runs; of `js page` in a page. */
const RUNS = ['js', 'js page', 'html'];

/**
 * The blocks of a document, in order: `info` is what stands behind the fence, the language first; `code` is as it is outside of
 * a list.
 */
export function fencesIn(text) {
  const fences = [...text.matchAll(FENCE)].map(([, indent, info, code]) => ({
    info,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
  const lines = text.match(/^ *```/gm) ?? [];
  if (lines.length !== 2 * fences.length) throw new Error('a fence is not closed, or not by one like it');
  return fences;
}

/** The text with each block called `text` saying what the last one before it that runs printed. */
export function withPrinted(text, printed) {
  let block = -1;
  return text.replace(FENCE, (fence, indent, info) => {
    if (RUNS.includes(info)) block = block + 1;
    if (info !== 'text') return fence;
    return `${indent}\`\`\`text\n${printed[block].replaceAll(/^(?=.)/gm, indent)}${indent}\`\`\``;
  });
}

export const runs = ({info}) => RUNS.includes(info);
