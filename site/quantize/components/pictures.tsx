/** Takes pictures with the camera, each of a class if the visitor names one. */
import {useComputed, useSignal} from '@preact/signals';
import {useId} from 'preact/hooks';
import {say} from '../state';
import type {GivenFile} from '../worker/contract';
import {Camera} from './camera';
import {counted} from './format';

/** So many at a press, and so many ms between them: what is before the camera should move. */
const SOME = 10;
const APART = 250;

interface PicturesProps {
  /** Of the model's classes. */
  readonly labels: readonly string[];
  readonly onDone: (files: readonly GivenFile[]) => void;
}

export function Pictures({labels, onDone}: PicturesProps) {
  const taken = useSignal<readonly GivenFile[]>([]);
  const label = useSignal(labels[0] ?? '');
  const id = useId();
  const classes = useComputed(() => countFolders(taken.value));
  const isTaking = useSignal(false);
  const take = async (video: HTMLVideoElement) => {
    const folder = label.value.trim().replaceAll('/', ' ');
    const name = `${taken.value.length}.png`;
    const data = await pictureOf(video);
    taken.value = [...taken.value, {path: folder ? `${folder}/${name}` : name, data}];
    say(counted(taken.value.length, 'picture'));
  };
  const takeSome = async (video: HTMLVideoElement) => {
    isTaking.value = true;
    for (let i = 0; i < SOME; i++) {
      await take(video);
      await new Promise(resolve => setTimeout(resolve, APART));
    }
    isTaking.value = false;
  };
  return (
    <Camera>
      {video => (
        <>
          <label for={id}>Class in the picture</label>
          <input
            id={id}
            list={`${id}-labels`}
            value={label}
            placeholder="none"
            onInput={({currentTarget}) => (label.value = currentTarget.value)}
          />
          <datalist id={`${id}-labels`}>
            {labels.map(name => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <div class="buttons">
            <button type="button" disabled={isTaking.value} onClick={() => void take(video)}>
              Take a picture
            </button>
            <button type="button" disabled={isTaking.value} onClick={() => void takeSome(video)}>
              Take {SOME}
            </button>
            <button
              type="button"
              class="secondary"
              disabled={isTaking.value || taken.value.length === 0}
              onClick={() => onDone(taken.value)}
            >
              Use {counted(taken.value.length, 'picture')}
            </button>
          </div>
          <p>{[...classes.value].map(([name, n]) => (name ? `${n} of ${name}` : `${n} without a class`)).join(', ')}</p>
        </>
      )}
    </Camera>
  );
}

function countFolders(files: readonly GivenFile[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const {path} of files) {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return counts;
}

async function pictureOf(video: HTMLVideoElement): Promise<Blob> {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext('2d')!.drawImage(video, 0, 0);
  return canvas.convertToBlob();
}
