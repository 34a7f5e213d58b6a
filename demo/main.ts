/** The page: a form for the plan, progress while it trains, then table and curves. */
import * as tf from '../src/entries/tf';
import '@tensorflow/tfjs-backend-webgpu';
import {openBackend} from '../lab/backend';
import {encode} from '../lab/base64';
import {loadDigits} from '../lab/digits';
import {describe, plotCurves, summarize, type Summary} from './summary';
import {branchEpoch, compare, epochCount, type Plan, type Score, timeStep} from './train';

const BACKENDS = ['webgpu', 'webgl', 'cpu'];
const DEFAULTS = {backend: 'auto', bits: '8,4,3,2', epochs: '12', seed: '1', seeds: '1'};

declare global {
  interface Window {
    /** For whoever drives the page: trains as the form says. */
    train(): Promise<{caption: string; summary: Summary}>;
    /** The files of the trained networks and the images to try them on; bytes in base64. */
    filesToRun(): Promise<FilesToRun>;
    /** Adds to the table how the files did, for each seed: by width, percents. */
    showFiles(accuracies: Readonly<Record<number, readonly number[]>>): Readonly<Record<number, string>>;
    /** Called, if there, at the start and after each epoch. */
    onEpoch?(done: number, total: number): void;
  }
}

interface FilesToRun {
  readonly files: readonly {readonly bits: number; readonly seed: number; readonly model: string}[];
  readonly images: readonly string[];
  readonly labels: readonly number[];
}

/** What the last training gave. */
let trained: readonly Score[] = [];

const element = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector) as T;
const form = element<HTMLFormElement>('form');
const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;

function fillForm(): void {
  field('backend').append(...['auto', ...BACKENDS].map(name => new Option(name)));
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(DEFAULTS)) field(name).value = query.get(name) ?? value;
}

function readPlan(): Plan {
  return {
    bits: [...new Set(field('bits').value.split(',').map(Number))],
    epochs: field('epochs').valueAsNumber,
    seed: field('seed').valueAsNumber,
    seeds: field('seeds').valueAsNumber,
  };
}

/** Makes the asked-for backend tfjs's own, or for `auto` the one that trains fastest here. */
async function chooseBackend(asked: string): Promise<string> {
  const names = asked === 'auto' ? BACKENDS : [asked];
  const times = new Map<string, number>();
  for (const name of names) {
    // WebGPU on a renderer that is no GPU takes more than twice as long as WebGL there.
    if (await openBackend(name)) times.set(name, names.length > 1 ? await timeStep() : 0);
  }
  const [fastest] = [...times].sort(([, one], [, other]) => one - other);
  if (!fastest) throw new Error(`This browser offers no ${asked} backend. Choose another, or auto.`);
  await tf.setBackend(fastest[0]);
  return fastest[0];
}

function show(scores: readonly Score[], plan: Plan, summary: Summary): void {
  const row = (cells: readonly string[], tag: 'th' | 'td') => {
    const line = document.createElement('tr');
    line.append(
      ...cells.map((text, i) => Object.assign(document.createElement(i === 0 ? 'th' : tag), {textContent: text})),
    );
    return line;
  };
  const head = document.createElement('thead');
  const body = document.createElement('tbody');
  head.append(row(['Bits', 'Float', 'PTQ', 'QAT'], 'th'));
  body.append(row(['32', summary.float, '', ''], 'td'));
  for (const {bits, PTQ, QAT} of summary.rows) body.append(row([`${bits}`, '', PTQ, QAT], 'td'));
  element('#table').replaceChildren(head, body);
  element('#curves').replaceChildren(plotCurves(scores, plan));
  element('#results').hidden = false;
}

async function train(): ReturnType<Window['train']> {
  const plan = readPlan();
  element('#progress').hidden = false;
  element('progress').removeAttribute('value'); // nobody knows how long it takes
  const asked = field('backend').value;
  element('#status').textContent = asked === 'auto' ? 'Trying the backends' : `Opening ${asked}`;
  const backend = await chooseBackend(asked);
  const total = epochCount(plan);
  const start = performance.now();
  const tensors = tf.memory().numTensors;
  const scores: Score[] = [];
  let done = 0;
  const report = () => {
    element('#progress').hidden = false;
    element<HTMLProgressElement>('progress').value = done / total;
    element('#status').textContent = `Training on ${backend}: ${done} of ${total} epochs`;
    window.onEpoch?.(done, total);
  };

  element('#caption').textContent = '';
  report();
  for await (const score of compare(plan)) {
    scores.push(score);
    if (score.method === 'PTQ') continue;
    done += 1;
    report();
    show(scores, plan, summarize(scores, plan));
    await tf.nextFrame();
  }
  trained = scores;
  element('#status').textContent = `Trained on ${backend}: ${total} epochs`;
  const seconds = Math.round((performance.now() - start) / 1000);
  const caption =
    `Test accuracy in percent after ${plan.epochs} epochs${plan.seeds > 1 ? `, mean ± standard deviation of ${plan.seeds} seeds` : ''}; ` +
    `QAT branches off from float after ${branchEpoch(plan)} (dashed line). Trained in ${seconds} s on ${backend}.`;
  element('#caption').textContent = caption;
  const leaked = tf.memory().numTensors - tensors;
  if (leaked > 0) throw new Error(`${leaked} tensors were not disposed.`);
  return {caption, summary: summarize(scores, plan)};
}

async function filesToRun(): Promise<FilesToRun> {
  const {train: learned, test} = await loadDigits();
  const pixels = await test.images.data<'float32'>();
  const digits = test.labels.argMax(1);
  const labels = Array.from(await digits.data());
  const size = pixels.length / labels.length;
  tf.dispose([learned, test, digits]);
  return {
    files: trained.flatMap(({bits = 0, seed, file}) => (file ? [{bits, seed, model: encode(file)}] : [])),
    images: labels.map((_, i) => encode(new Uint8Array(pixels.slice(i * size, (i + 1) * size).buffer))),
    labels,
  };
}

function showFiles(accuracies: Readonly<Record<number, readonly number[]>>): Readonly<Record<number, string>> {
  const texts = Object.fromEntries(Object.entries(accuracies).map(([bits, values]) => [bits, describe(values)]));
  const [head, ...rows] = element('#table').querySelectorAll('tr');
  head?.append(Object.assign(document.createElement('th'), {textContent: 'int8 file'}));
  for (const row of rows) {
    const text = texts[row.cells[0]?.textContent ?? ''] ?? '';
    row.append(Object.assign(document.createElement('td'), {textContent: text}));
  }
  return texts;
}

fillForm();
Object.assign(window, {train, filesToRun, showFiles});
form.addEventListener('submit', event => {
  event.preventDefault();
  const button = element<HTMLButtonElement>('button');
  button.disabled = true;
  train()
    .catch((error: unknown) => {
      element('#progress').hidden = false;
      element<HTMLProgressElement>('progress').value = 0;
      element('#status').textContent = String(error);
    })
    .finally(() => (button.disabled = false));
});
