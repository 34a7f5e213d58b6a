/** The webcam, read by the float model, the quantized one, and the file. */
import {useSignal} from '@preact/signals';
import {useEffect, useRef} from 'preact/hooks';
import {decimal, percent} from '../components/format';
import {bench, failures, isBusy, perform, scores} from '../state';
import type {OnProgress, RunSamples} from '../worker/contract';
import {openFile, runFile, stop} from './compare';

/** What all three say of a picture. */
interface Reading {
  readonly given: RunSamples;
  readonly file: Float32Array;
  readonly milliseconds: number;
}

const MOST_CLASSES = 5;

const REASONS: Readonly<Record<string, string>> = {
  NotAllowedError: 'The browser was not allowed to use the camera. Allow it for this page, and try again.',
  NotFoundError: 'There is no camera here. Connect one, and try again.',
  NotReadableError: 'The camera is in use by another program. Close that, and try again.',
};

async function openCamera(): Promise<MediaStream> {
  // Browsers give cameras to pages of https and of this machine alone.
  if (!navigator.mediaDevices)
    throw new Error('Browsers give cameras to pages of https only. Open this page by https.');
  try {
    return await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
  } catch (error) {
    const {name, message} = error as Error;
    throw new Error(REASONS[name] ?? `The camera does not start: ${message}.`);
  }
}

function close(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

const silent: OnProgress = () => undefined;

export function Live() {
  const video = useRef<HTMLVideoElement>(null);
  const stream = useSignal<MediaStream | undefined>(undefined);
  const reading = useSignal<Reading | undefined>(undefined);
  const camera = stream.value;
  useEffect(() => {
    if (!camera) return;
    return watch(video.current!, camera, {
      onReading: now => (reading.value = now),
      onFailure: error => {
        stream.value = undefined;
        failures.value = {...failures.value, run: error.message};
      },
    });
  }, [camera]);
  const start = async () => {
    const opened = await perform(
      'run',
      'Writing the file',
      async onProgress => {
        await openFile(onProgress);
        onProgress({doing: 'Opening the camera', done: 0, total: undefined});
        return openCamera();
      },
      stop,
    );
    reading.value = undefined;
    stream.value = opened;
  };
  return (
    <section class="live" aria-labelledby="live">
      <h3 id="live">With your camera</h3>
      {camera ? (
        <>
          <div class="views">
            <video ref={video} muted playsInline aria-label="The camera’s picture" />
            {reading.value && <Classes of={reading.value} />}
          </div>
          <button type="button" class="secondary" onClick={() => (stream.value = undefined)}>
            Stop the camera
          </button>
        </>
      ) : (
        <button type="button" class="secondary" disabled={isBusy.value} onClick={() => void start()}>
          Start the camera
        </button>
      )}
    </section>
  );
}

interface Watcher {
  readonly onReading: (reading: Reading) => void;
  readonly onFailure: (error: Error) => void;
}

/** Reads one picture after the other until what it returns is called. */
function watch(video: HTMLVideoElement, stream: MediaStream, {onReading, onFailure}: Watcher): () => void {
  let isOver = false;
  const read = async () => {
    video.srcObject = stream;
    await video.play();
    while (!isOver) {
      // While something else is going on the bench is not to be asked.
      if (!isBusy.value) {
        const given = await bench.predict(await createImageBitmap(video));
        const {outputs, millisecondsPerSample} = await runFile(given, silent);
        if (!isOver) onReading({given, file: outputs, milliseconds: millisecondsPerSample});
      }
      await new Promise(resolve => requestAnimationFrame(resolve));
    }
  };
  read().catch((error: unknown) => {
    if (!isOver) onFailure(error as Error);
  });
  return () => {
    isOver = true;
    close(stream);
  };
}

function Classes({of: {given, file, milliseconds}}: {readonly of: Reading}) {
  const labels = scores.value?.labels ?? [];
  const order = [...file.keys()].sort((a, b) => given.float[b]! - given.float[a]!).slice(0, MOST_CLASSES);
  const value = (share: number) => (scores.value?.sameClass === undefined ? decimal(share) : percent(share));
  return (
    <div class="overflow-auto">
      <table>
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col">Float</th>
            <th scope="col">Quantized</th>
            <th scope="col">File</th>
          </tr>
        </thead>
        <tbody>
          {order.map(i => (
            <tr key={i}>
              <th scope="row">{labels[i] ?? `class ${i}`}</th>
              <td>{value(given.float[i]!)}</td>
              <td>{value(given.quantized[i]!)}</td>
              <td>{value(file[i]!)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Time</th>
            <td />
            <td>{decimal(given.millisecondsPerSample)} ms</td>
            <td>{decimal(milliseconds)} ms</td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
