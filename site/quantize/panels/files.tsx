/** The step that gives files. */
import {useComputed} from '@preact/signals';
import {useMemo} from 'preact/hooks';
import {Chart} from '../components/chart';
import {bytes, percent} from '../components/format';
import {Step} from '../components/step';
import {FILE_GROUPS, FILE_KINDS, type FileKindInfo} from '../file_kinds';
import {sizeBars} from '../plots/size_bars';
import {Stale} from '../see/stale';
import {files, fresh, isFresh, write, writeAll} from '../results';
import {isBusy, model, say} from '../state';
import type {WrittenFile} from '../worker/contract';
import './files.css';

/** Gives a file to the visitor, as browsers do: in the folder of downloads. */
function save({name, data}: WrittenFile): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  // Not at once, as the download begins after this.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`${name} is downloaded.`);
}

async function download(info: FileKindInfo): Promise<void> {
  const file = await write(info);
  if (file) save(file);
}

export function Files() {
  const outcomes = Object.values(files.value);
  const isWhole = outcomes.length === FILE_KINDS.length && outcomes.every(isFresh);
  const hasOld = !outcomes.every(isFresh);
  return (
    <Step step="take" title="Take the files" lead="Each is written on this device when you ask for it.">
      <Stale />
      {FILE_GROUPS.map(({title, docs, kinds}) => (
        <section key={title} class="files" aria-label={title}>
          <h3>
            {title}{' '}
            <a href={docs} aria-label={`More about files for ${title}`}>
              More
            </a>
          </h3>
          <ul>
            {kinds.map(info => (
              <File key={info.kind} info={info} />
            ))}
          </ul>
        </section>
      ))}
      <section aria-labelledby="sizes">
        <h3 id="sizes">How large they are</h3>
        {!isWhole && (
          <button type="button" class="secondary" disabled={isBusy.value} onClick={() => void writeAll()}>
            {hasOld ? 'Write all again: the model changed' : 'Write all, and compare their sizes'}
          </button>
        )}
        <Sizes />
      </section>
    </Step>
  );
}

function File({info}: {readonly info: FileKindInfo}) {
  const {kind, title, purpose} = info;
  const outcome = files.value[kind];
  const isOld = outcome !== undefined && !isFresh(outcome);
  const file = outcome?.file;
  return (
    <li>
      <div>
        <strong>{title}</strong>
        <p>{purpose}</p>
        {file?.note && !isOld && <p class="note">{file.note}</p>}
        {outcome && 'problem' in outcome && !isOld && (
          <p class="failure" role="alert">
            {outcome.problem}
          </p>
        )}
      </div>
      <span class="size">
        {file && (isOld ? <s>{bytes(file.data.size)}</s> : bytes(file.data.size))}
        {file && isOld && <small> before the change</small>}
      </span>
      <button
        type="button"
        class={kind === 'tflite' ? undefined : 'outline'}
        disabled={isBusy.value}
        aria-label={`Download ${title}`}
        onClick={() => void download(info)}
      >
        Download
      </button>
    </li>
  );
}

function Sizes() {
  const float = model.value?.bytes ?? 0;
  const found = useComputed(() =>
    FILE_KINDS.flatMap(({kind, title, hasFloatWeights = false}) => {
      const file = fresh(kind);
      return file ? [{title, bytes: file.data.size, hasFloatWeights}] : [];
    }),
  );
  const sizes = found.value;
  const make = useMemo(() => sizeBars(sizes, float), [sizes, float]);
  if (sizes.length < 2) return null;
  const inWords = sizes.map(({title, bytes: size}) => `${title} ${bytes(size)}`).join(', ');
  const smallest = Math.min(...sizes.map(({bytes: size}) => size));
  return (
    <>
      <Chart label={`Sizes of files: ${inWords}; the weights in float32 are ${bytes(float)}.`} make={make} />
      <p class="legend">
        <span>quantized weights</span>, <span class="float">float weights</span>; dashed: the model’s weights in
        float32, {bytes(float)}. The smallest file is {percent(smallest / float)} of them.
      </p>
    </>
  );
}
