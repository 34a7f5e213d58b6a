/** What few bits cost, of accuracy/results. */
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {ROOT} from '../../../lab/command.mjs';
import {importTypeScript} from '../../../scripts/page.mjs';
import {convertedPlot, distilledPlot, readModels} from './models.mjs';
import {placeOf} from './place.mjs';

const TASKS = {
  digits: 'Handwritten digits of 8x8 pixels',
  mnist: 'MNIST, a residual network',
};

async function readResults(task) {
  const files = [`${task}.json`, `${task}-tfmot.json`].map(name => join(ROOT, 'accuracy/results', name));
  return (await Promise.all(files.map(file => readFile(file, 'utf8')))).flatMap(JSON.parse);
}

/** Who a row is of, for its color. */
function seriesOf(row, {ROWS}) {
  if (row.startsWith('tfmot')) return 'tfmot';
  return ROWS.find(({name}) => name === row).trains === 'float' ? 'after float training' : 'training with labels';
}

function plotOf(results, parts) {
  const rows = Object.keys(parts.ROW_TITLES).filter(row => row !== 'float' && results.some(each => each.row === row));
  const title = row => parts.ROW_TITLES[row].replaceAll('`', '');
  const float = results.filter(({row}) => row === 'float').map(({accuracy}) => accuracy);
  return {
    kind: 'accuracy',
    float: float.reduce((sum, each) => sum + each, 0) / float.length,
    rows: rows.map(row => ({title: title(row), series: seriesOf(row, parts)})),
    points: results
      .filter(({row}) => row !== 'float')
      .map(({row, width, accuracy}) => ({row: rows.indexOf(row), width, accuracy: Number(accuracy.toFixed(2))})),
  };
}

const CAPTION = 'A dot for each seed, a bar for their mean; the line is the float network.';

/** The plots by the name of the task, and the tables. */
async function readTasks() {
  const parts = await importTypeScript(join(ROOT, 'accuracy/parts.ts'));
  const tasks = await Promise.all(
    Object.keys(TASKS).map(async task => {
      const results = await readResults(task);
      return [task, {plot: plotOf(results, parts), table: parts.markdownOf(results)}];
    }),
  );
  return Object.fromEntries(tasks);
}

function plotsOf(tasks) {
  return Object.fromEntries(Object.entries(tasks).map(([task, {plot}]) => [task, plot]));
}

/** The pictures are drawn anew, so that they follow the page's width and colors. */
export async function choosingBitsPage(markdown) {
  const drawn = markdown.replace(/^!\[.*\]\(accuracy-(\w+)\.svg\)$/gm, (image, task) => placeOf(task, CAPTION, image));
  return {markdown: drawn, plots: plotsOf(await readTasks())};
}

const HEAD = `# Accuracy

What few bits cost of a model's accuracy, as measured: two networks trained here with ten seeds each, and models that others have published.
What follows from it is in [choosing bits](../docs/choosing-bits.md); of published models there is [more](../docs/models.md).
`;

/** The results, and then how they were measured. */
export async function accuracyPage(markdown) {
  const [tasks, models] = await Promise.all([readTasks(), readModels()]);
  const results = Object.entries(tasks).map(
    ([task, {table}]) => `## ${TASKS[task]}\n${placeOf(task, CAPTION)}\n${table}`,
  );
  const published = [distilledPlot, convertedPlot].map(part => part(models));
  return {
    markdown: [
      HEAD,
      ...results,
      ...published.map(part => part.markdown),
      markdown.replace(/^# .*$/m, '## How it is measured').replace('\n## The procedure', '\n### The procedure'),
    ].join('\n'),
    plots: {...plotsOf(tasks), ...Object.assign({}, ...published.map(({plots}) => plots))},
  };
}
