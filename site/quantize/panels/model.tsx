/** The first step: a model. */
import {signal} from '@preact/signals';
import type {TargetedSubmitEvent} from 'preact';
import {Another} from '../components/another';
import {FilesButton} from '../components/files_button';
import {Facts} from '../components/facts';
import {bytes, count, counted, some} from '../components/format';
import {Notes} from '../components/notes';
import {Step} from '../components/step';
import {forget, isBusy, isQuantized, model, modelSource, openExample, openModel, samples} from '../state';
import {type Example, EXAMPLES} from '../../examples/examples';
import type {GivenFile, ModelInfo, ModelSource, PortInfo} from '../worker/contract';

/** Whether another model is asked for. */
const isChoosing = signal(false);

/** Who was told what is wrong with one has the ways to bring another before them still. */
async function read(opening: Promise<boolean>): Promise<void> {
  if (await opening) isChoosing.value = false;
}

const open = (source: ModelSource) => void read(openModel(source));
const openOne = (example: Example) => void read(openExample(example));

const openFiles = (files: readonly GivenFile[]) => open({kind: 'files', files});

export function Model() {
  const info = model.value;
  const lead = 'The model.json and its weight files, their folder, or a zip such as Teachable Machine’s download.';
  return (
    <Step step="model" title={info ? 'Your model' : 'Bring a model'} lead={info ? undefined : lead} onFiles={openFiles}>
      {info && <Summary info={info} />}
      {info && (
        <p class="buttons">
          <Another name="Another model" isChoosing={isChoosing} />
          <button type="button" class="secondary outline" disabled={isBusy.value} onClick={() => void forget()}>
            Forget this one
          </button>
          <small>It is kept in this browser, for your next visit.</small>
        </p>
      )}
      {(!info || isChoosing.value) && <Chooser />}
    </Step>
  );
}

function Chooser() {
  return (
    <>
      <div class="drop">
        <p>Drop it here, or</p>
        <div class="buttons">
          <FilesButton label="Choose files" onFiles={openFiles} />
          <FilesButton label="Choose a folder" isFolder class="secondary outline" onFiles={openFiles} />
        </div>
      </div>
      <div class="others">
        <Address />
        <Examples />
      </div>
    </>
  );
}

function Address() {
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const url = new FormData(event.currentTarget).get('url');
    if (typeof url === 'string') open({kind: 'url', url: url.trim()});
  };
  return (
    <form onSubmit={submit}>
      <label for="url">Its address</label>
      <div role="group">
        <input id="url" name="url" type="url" required placeholder="https://…/model.json" disabled={isBusy.value} />
        <button class="secondary" disabled={isBusy.value}>
          Open
        </button>
      </div>
    </form>
  );
}

function Examples() {
  return (
    <div>
      <p class="label">An example</p>
      <ul class="examples">
        {EXAMPLES.map(example => (
          <li key={example.name}>
            <button type="button" class="link" disabled={isBusy.value} onClick={() => openOne(example)}>
              {example.title}
            </button>
            <small>{example.about}</small>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Summary({info}: {readonly info: ModelInfo}) {
  const floats = info.layers.filter(({float}) => float !== undefined);
  return (
    <>
      {modelSource.value === undefined && (
        <p class="note">
          Your last model is still here{isQuantized.value && ', quantized: its files can be taken at once'}.
          {!samples.value && ' Add samples again to see how it does.'}
        </p>
      )}
      <p class="what">
        <strong>{info.name}</strong> {info.kind}
      </p>
      <Facts
        of={{
          [info.inputs.length === 1 ? 'Input' : 'Inputs']: <Ports ports={info.inputs} />,
          [info.outputs.length === 1 ? 'Output' : 'Outputs']: <Ports ports={info.outputs} />,
          Layers: count(info.layers.length),
          Weights: count(info.parameters),
          'In float': bytes(info.bytes),
          'In 8 bits': `≈ ${bytes(info.bytes / 4)}`,
        }}
      />
      {info.isQuantized && <p class="note">It came quantized, with ranges of its own.</p>}
      {info.labels && (
        <p>
          {counted(info.labels.length, 'class')}: {some(info.labels)}.
        </p>
      )}
      <Notes of={info.notes} />
      {floats.length === 0 ? (
        <p>All of its layers can be quantized.</p>
      ) : (
        <details>
          <summary>
            {counted(floats.length, 'layer')} of {count(info.layers.length)} {floats.length === 1 ? 'stays' : 'stay'}{' '}
            float
          </summary>
          <div class="overflow-auto" role="region" aria-label="Layers that stay float" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">Layer</th>
                  <th scope="col">Class</th>
                  <th scope="col">Why</th>
                </tr>
              </thead>
              <tbody>
                {floats.map(({name, className, float}) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>{className}</td>
                    <td>{float}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </>
  );
}

function Ports({ports}: {readonly ports: readonly PortInfo[]}) {
  return (
    <>
      {ports.map(({name, shape, dtype}) => (
        <span key={name} title={`${name}, ${dtype}`}>
          {withoutBatch(shape)
            .map(size => size ?? 'any')
            .join(' × ')}
        </span>
      ))}
    </>
  );
}

/** The first size is the number of samples, which is left open. */
function withoutBatch([first, ...others]: readonly (number | null)[]) {
  return first === undefined || first === null ? others : [first, ...others];
}
