/** The camera's picture, read by the float model, the quantized one, and the file. */
import {useSignal} from '@preact/signals';
import {useEffect} from 'preact/hooks';
import {Camera} from '../components/camera';
import {decimal, percent} from '../components/format';
import {bench, isBusy, perform, scores} from '../state';
import type {OnProgress, RunSamples, Scores} from '../worker/contract';
import {openFile, runFile, stop} from './compare';
import {time} from './time';

export function Live() {
  // Of the model whose file was opened: once it changes, the camera is off.
  const opened = useSignal<Scores | undefined>(undefined);
  const isOn = opened.value !== undefined && opened.value === scores.value;
  const start = async () => {
    const work = (onProgress: OnProgress) => openFile(onProgress).then(() => scores.value);
    opened.value = await perform('run', 'Writing the file', work, stop);
  };
  return (
    <section class="live" aria-labelledby="live">
      <h3 id="live">With your camera</h3>
      {isOn && <Camera>{video => <Reader video={video} />}</Camera>}
      {isOn ? (
        <button type="button" class="secondary" onClick={() => (opened.value = undefined)}>
          Stop the camera
        </button>
      ) : (
        <button type="button" class="secondary" disabled={isBusy.value} onClick={() => void start()}>
          Start the camera
        </button>
      )}
    </section>
  );
}

/** What all three say of a picture. */
interface Reading {
  readonly given: RunSamples;
  readonly file: Float32Array;
  readonly milliseconds: number;
}

async function readingOf(video: HTMLVideoElement): Promise<Reading> {
  const given = await bench.predict(await createImageBitmap(video));
  const {outputs, millisecondsPerSample} = await runFile(given);
  return {given, file: outputs, milliseconds: millisecondsPerSample};
}

function Reader({video}: {readonly video: HTMLVideoElement}) {
  const reading = useSignal<Reading | undefined>(undefined);
  const failure = useSignal('');
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      while (!isOver) {
        // While something else is going on the models are not to be asked.
        const now = isBusy.value ? undefined : await readingOf(video);
        if (now && !isOver) reading.value = now;
        await new Promise(resolve => requestAnimationFrame(resolve));
      }
    };
    read().catch((error: unknown) => {
      if (!isOver) failure.value = (error as Error).message;
    });
    return () => {
      isOver = true;
    };
  }, [video]);
  if (failure.value) {
    return (
      <p class="failure" role="alert">
        {failure}
      </p>
    );
  }
  return reading.value ? <Classes of={reading.value} /> : <p>Reading the first picture…</p>;
}

/** So many classes, those first that the float model finds likeliest. */
const MOST_CLASSES = 5;

function Classes({of: {given, file, milliseconds: fileMilliseconds}}: {readonly of: Reading}) {
  const labels = scores.value?.labels ?? [];
  const areClasses = scores.value?.sameClass !== undefined;
  const order = [...file.keys()].sort((a, b) => given.float[b]! - given.float[a]!).slice(0, MOST_CLASSES);
  const models = [
    {name: 'Float', values: given.float, milliseconds: undefined},
    {name: 'Quantized', values: given.quantized, milliseconds: given.millisecondsPerSample},
    {name: 'File', values: file, milliseconds: fileMilliseconds},
  ];
  return (
    <div class="overflow-auto">
      <table>
        <thead>
          <tr>
            <th scope="col">{areClasses ? 'Class' : 'Output'}</th>
            {models.map(({name}) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map(i => (
            <tr key={i}>
              <th scope="row">{labels[i] ?? i}</th>
              {models.map(({name, values}) => (
                <td key={name} style={areClasses ? {'--share': percent(values[i]!).replace(' ', '')} : {}}>
                  {areClasses ? percent(values[i]!) : decimal(values[i]!)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Time</th>
            {models.map(({name, milliseconds}) => (
              <td key={name}>{milliseconds !== undefined && time(milliseconds)}</td>
            ))}
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
