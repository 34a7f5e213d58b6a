/** The second step: samples of what the model is made for. */
import {signal, useSignal} from '@preact/signals';
import {useId} from 'preact/hooks';
import {EXAMPLES} from '../../examples/examples';
import {Another} from '../components/another';
import {Bitmap} from '../components/bitmap';
import {Facts} from '../components/facts';
import {FilesButton} from '../components/files_button';
import {count, counted, decimal, some} from '../components/format';
import {Notes} from '../components/notes';
import {Pictures} from '../components/pictures';
import {ScalingChoice} from '../components/scaling_choice';
import {Step} from '../components/step';
import {isBusy, model, modelSource, openSamples, samples, sampleSource} from '../state';
import type {GivenFile, ModelInfo, SampleInfo, SampleSource} from '../worker/contract';

const ACCEPT = 'image/*,.zip,.csv,.npy';
const NOISE = 64;

/** Whether other samples are asked for. */
const isChoosing = signal(false);

async function open(source: SampleSource): Promise<void> {
  if (await openSamples(source)) isChoosing.value = false;
}

const openFiles = (files: readonly GivenFile[]) => void open({kind: 'files', files});

export function Samples() {
  const info = samples.value;
  const lead =
    'Some dozens to hundreds of what the model is made for: they tell which values it meets. A folder for each class tells the right answers, too.';
  return (
    <Step
      step="samples"
      title={info ? 'Your samples' : 'Add samples'}
      lead={info ? undefined : lead}
      onFiles={openFiles}
    >
      {info && <Summary info={info} />}
      {info && (
        <p class="buttons">
          <Another name="Other samples" isChoosing={isChoosing} />
        </p>
      )}
      {(!info || isChoosing.value) && <Chooser />}
    </Step>
  );
}

function Chooser() {
  const hasCamera = useSignal(false);
  return (
    <>
      {hasOwnSamples() && (
        <p>
          <button type="button" disabled={isBusy.value} onClick={() => void open({kind: 'example'})}>
            Take the example’s own samples
          </button>
        </p>
      )}
      <div class="drop">
        <p>Drop images, a folder of folders, a zip, .csv or .npy here, or</p>
        <div class="buttons">
          <FilesButton label="Choose files" accept={ACCEPT} onFiles={openFiles} />
          <FilesButton label="Choose a folder" isFolder class="secondary outline" onFiles={openFiles} />
          {takesImages(model.value!) && (
            <button
              type="button"
              class="secondary outline"
              aria-expanded={hasCamera.value}
              onClick={() => (hasCamera.value = !hasCamera.value)}
            >
              {hasCamera.value ? 'Close the camera' : 'Use the camera'}
            </button>
          )}
        </div>
        {hasCamera.value && <Pictures labels={model.value!.labels ?? []} onDone={openFiles} />}
      </div>
      <p>
        No samples at hand?{' '}
        <button
          type="button"
          class="link"
          disabled={isBusy.value}
          onClick={() => void open({kind: 'noise', count: NOISE})}
        >
          Use random noise
        </button>
        : enough to try the files, but ranges and accuracy will be wrong.
      </p>
    </>
  );
}

function hasOwnSamples(): boolean {
  const source = modelSource.value;
  return source?.kind === 'example' && EXAMPLES.some(({name, hasSamples}) => hasSamples && name === source.name);
}

function takesImages({inputs}: ModelInfo): boolean {
  const shape = inputs[0]?.shape ?? [];
  return inputs.length === 1 && shape.length === 4 && [1, 3, 4].includes(shape[3] ?? 0);
}

const WHAT = {images: 'image', rows: 'row', arrays: 'sample', noise: 'sample of noise'} as const;

function Summary({info}: {readonly info: SampleInfo}) {
  const {classes, values} = info;
  const what = info.of === 'noise' ? `${count(info.count)} of noise` : counted(info.count, WHAT[info.of]);
  return (
    <>
      <Facts
        of={{
          Samples: what,
          ...(classes && {Classes: count(classes.length)}),
          'Smallest value': decimal(values.min),
          Mean: decimal(values.mean),
          'Largest value': decimal(values.max),
        }}
      />
      {classes && <p>{some(classes.map(({label, count: n}) => `${label}: ${count(n)}`))}.</p>}
      <Notes of={info.warnings} />
      {info.columns && <LabelColumn info={info} />}
      {info.previews.length > 0 && (
        <figure class="previews">
          <div role="img" aria-label={`${counted(info.previews.length, 'sample')} as the model sees them`}>
            {info.previews.map((preview, i) => (
              <Bitmap key={i} of={preview} />
            ))}
          </div>
          <figcaption>The first ones, as the model sees them.</figcaption>
        </figure>
      )}
      {info.of !== 'noise' && <ScalingChoice info={info} />}
    </>
  );
}

/** Which column of .csv holds the class: the same files are read again. */
function LabelColumn({info: {columns, labelColumn}}: {readonly info: SampleInfo}) {
  const id = useId();
  const source = sampleSource.value;
  if (source?.kind !== 'files' || !columns) return null;
  return (
    <p class="field">
      <label for={id}>Column of the class</label>
      <select
        id={id}
        value={labelColumn ?? ''}
        disabled={isBusy.value}
        onChange={({currentTarget}) => void openSamples({...source, labelColumn: currentTarget.value})}
      >
        {labelColumn === undefined && <option value="">none</option>}
        {columns.map(name => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </p>
  );
}
