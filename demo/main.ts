/** The page: a form for the plan, progress while it trains, then table and curves. */
import * as tf from '../src/tf';
import '@tensorflow/tfjs-backend-webgpu';
import {plotCurves, summarize, type Summary} from './summary';
import {branchEpoch, compare, epochCount, type Plan, type Score} from './train';

const BACKENDS = ['webgpu', 'webgl', 'cpu'];
const DEFAULTS = {backend: 'auto', bits: '8,4,3,2', epochs: '12', seed: '1', seeds: '3'};

declare global {
  interface Window {
    /** For whoever drives the page: trains as the form says. */
    train(): Promise<{caption: string; summary: Summary}>;
    /** Called, if there, at the start and after each epoch. */
    onEpoch?(done: number, total: number): void;
  }
}

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

/** Makes the asked-for backend tfjs's own, or the best there is for `auto`. */
async function openBackend(asked: string): Promise<string> {
  for (const name of asked === 'auto' ? BACKENDS : [asked]) {
    if (tf.findBackendFactory(name) && (await tf.setBackend(name))) return name;
  }
  throw new Error(`This browser offers no ${asked} backend. Choose another, or auto.`);
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
  const backend = await openBackend(field('backend').value);
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

fillForm();
window.train = train;
form.addEventListener('submit', event => {
  event.preventDefault();
  const button = element<HTMLButtonElement>('button');
  button.disabled = true;
  train()
    .catch((error: unknown) => {
      element('#progress').hidden = false;
      element('#status').textContent = String(error);
    })
    .finally(() => (button.disabled = false));
});
