/** What becomes of published models, of test/models/results. */
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {ROOT} from '../../../lab/command.mjs';
import {beforeTable, placeOf} from './place.mjs';

/** All that was measured, by the names of the files. */
export async function readModels() {
  const read = async name => JSON.parse(await readFile(join(ROOT, 'test/models/results', `${name}.json`), 'utf8'));
  const [table, converter, distillation] = await Promise.all(['table', 'converter', 'distillation'].map(read));
  return {table, converter, distillation};
}

const percent = share => Number((100 * share).toFixed(1));
const mean = values => values.reduce((sum, each) => sum + each, 0) / values.length;

/** Of several points the mean, as a row of a table. */
function means(points, rows, series) {
  return rows.map(row => [
    row,
    ...series.map(name => {
      const values = points.filter(point => point.row === row && point.series === name).map(({value}) => value);
      return values.length > 0 ? mean(values).toFixed(1) : '–';
    }),
  ]);
}

function tableOf(head, rows) {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

/** A plot of shares by row and series, with its table. */
function shares(name, {title, caption, rows, series, points}) {
  const markdown = [
    `## ${title}`,
    placeOf(name, caption),
    tableOf(['', ...series], means(points, rows, series)),
    '\nMeans, in percent.\n',
  ].join('\n');
  return {markdown, plots: {[name]: {kind: 'shares', rows, series, points}}};
}

export function distilledPlot({distillation: {rows}}) {
  const points = rows.flatMap(({name, widths, calibrated, distilled}) =>
    Object.entries({calibrate: calibrated, distil: distilled}).map(([series, {unseen}]) => ({
      row: `${name}, ${widths}`,
      series,
      value: percent(unseen),
    })),
  );
  return shares('distilled', {
    title: 'Classifiers of emotions, without labels',
    caption:
      'Crops of photos never seen that get the class of the float model, in percent, a dot for each set of photos.',
    rows: [...new Set(points.map(({row}) => row))],
    series: ['calibrate', 'distil'],
    points,
  });
}

export function convertedPlot({converter}) {
  const points = Object.entries(converter).flatMap(([row, {theirs, ours}]) =>
    Object.entries({"TensorFlow's converter": theirs, ...ours}).flatMap(([series, values]) =>
      values.map(value => ({row, series, value: percent(value)})),
    ),
  );
  return shares('converted', {
    title: "Files of 8 bits, and those of TensorFlow's converter",
    caption:
      'Photos that get the class of the float model from the .tflite file, in percent, a dot for each set of photos.',
    rows: Object.keys(converter),
    series: [...new Set(points.map(({series}) => series))],
    points,
  });
}

/** How far each model is from the one before, and its file's size. */
function tablePlots({table}) {
  const errors = table.flatMap(({name, quantized, file}) =>
    Object.entries({'8 bits and float': quantized, 'file and 8 bits': file}).flatMap(([series, agreement]) =>
      agreement ? [{row: name, series, value: percent(agreement.relativeError)}] : [],
    ),
  );
  const sizes = table.flatMap(({name, fileByFloat}) =>
    fileByFloat ? [{row: name, series: 'file', value: percent(fileByFloat)}] : [],
  );
  const rows = table.map(({name}) => name);
  return {
    errors: {kind: 'shares', rows, series: ['8 bits and float', 'file and 8 bits'], points: errors, isLog: true},
    sizes: {kind: 'shares', rows, series: ['file'], points: sizes, fromZero: true},
  };
}

export async function modelsPage(markdown) {
  const models = await readModels();
  const [distilled, converted] = [distilledPlot(models), convertedPlot(models)];
  const captionOf = part => /<figcaption>(.*)<\/figcaption>/.exec(part.markdown)[1];
  const places = {
    'From the graph to the file': [
      placeOf(
        'errors',
        'Length of the difference of outputs by that of the outputs, in percent: after calibration, and of the file after that.',
      ),
      placeOf('sizes', 'Size of the .tflite file by that of the float weights, in percent.'),
    ],
    "Int8 files against TensorFlow's converter": [placeOf('converted', captionOf(converted))],
    'Quantized without labels': [placeOf('distilled', captionOf(distilled))],
  };
  const placed = Object.entries(places).reduce(
    (text, [heading, parts]) => beforeTable(text, heading, parts.join('')),
    markdown,
  );
  return {markdown: placed, plots: {...tablePlots(models), ...distilled.plots, ...converted.plots}};
}
