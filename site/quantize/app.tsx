/** The main page: from a model to files, step by step. */
import {EXAMPLES} from '../examples/examples';
import {Doings} from './components/doings';
import {Files} from './panels/files';
import {Improve} from './panels/improve';
import {Model} from './panels/model';
import {Quantize} from './panels/quantize';
import {Run} from './panels/run';
import {Samples} from './panels/samples';
import {See} from './panels/see';
import {
  announcement,
  backend,
  backends,
  chooseBackend,
  isBusy,
  isQuantized,
  model,
  openExample,
  samples,
  scores,
  type Step,
  STEPS,
} from './state';

export function App() {
  return (
    <>
      {model.value ? <h1 class="small">Quantize a model in this browser</h1> : <Welcome />}
      <Path />
      <Model />
      {model.value && <Samples />}
      {samples.value && <Quantize />}
      {scores.value && <See />}
      {scores.value && <Improve />}
      {isQuantized.value && <Files />}
      {scores.value && <Run />}
      <Machine />
      <p class="spoken" role="status">
        {announcement}
      </p>
    </>
  );
}

/** What this is, for who comes first. */
function Welcome() {
  return (
    <div class="welcome">
      <h1>Quantize a model in this browser</h1>
      <p>
        Bring a TensorFlow.js, Keras or Teachable Machine model. See what 8, 4, 3 or 2 bits cost it, win accuracy back,
        and take a file for phones, web pages or an Arduino.
      </p>
      <p class="try">
        <button type="button" disabled={isBusy.value} onClick={() => void openExample(EXAMPLES[0]!)}>
          Try it with the digits network
        </button>
        <small>A network that reads handwritten digits, with its samples. Two minutes.</small>
      </p>
      <ul>
        <li>Nothing is uploaded: all the work is done on this device.</li>
        <li>Nothing is installed, and it works without a network afterwards.</li>
      </ul>
    </div>
  );
}

const NAMES: Readonly<Record<Step, string>> = {
  model: 'Model',
  samples: 'Samples',
  quantize: 'Bits',
  see: 'See',
  improve: 'Improve',
  take: 'Take',
  run: 'Run',
};

function isHere(step: Step): boolean {
  if (step === 'model') return true;
  if (step === 'samples') return model.value !== undefined;
  if (step === 'quantize') return samples.value !== undefined;
  return step === 'take' ? isQuantized.value : scores.value !== undefined;
}

/** The way through the page. */
function Path() {
  return (
    <nav class="path" aria-label="Steps">
      <ol>
        {STEPS.map(step => (
          <li key={step}>{isHere(step) ? <a href={`#${step}`}>{NAMES[step]}</a> : NAMES[step]}</li>
        ))}
      </ol>
    </nav>
  );
}

/** What computes. */
function Machine() {
  if (backends.value.length === 0) return null;
  return (
    <footer class="machine">
      <label>
        Computes with
        <select
          value={backend.value}
          disabled={isBusy.value}
          onChange={({currentTarget}) => void chooseBackend(currentTarget.value)}
        >
          {backends.value.map(name => (
            <option key={name} value={name}>
              {BACKENDS[name] ?? name}
            </option>
          ))}
        </select>
      </label>
      <Doings of="machine" />
    </footer>
  );
}

const BACKENDS: Readonly<Record<string, string>> = {
  webgpu: 'the GPU, by WebGPU',
  webgl: 'the GPU, by WebGL',
  cpu: 'the CPU, slowly',
};
