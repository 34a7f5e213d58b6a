/** Draw a digit, and watch networks of few bits read it; train them. `npm start` drives this page too. */
import {render} from 'preact';
import {encode} from '../../lab/base64';
import {Cells} from './drawing/cells';
import {Examples} from './reading/examples';
import {Pad} from './drawing/pad';
import './play.css';
import {Networks} from './reading/networks';
import {showExample} from './reading/state';
import {captionOf, Training} from './training/panel';
import {failure, fileAccuracies, finished, openTrainedBeforehand, train} from './training/state';
import {describe, summarize, type Summary} from './training/summary';
import {reader} from './workers';

declare global {
  interface Window {
    /** For `npm start`. */
    play: {
      /** Trains as the form says. */
      train(): Promise<{caption: string; summary: Summary}>;
      /** The files of the networks that were trained and the images to try them on; bytes in base64. */
      filesToRun(): Promise<FilesToRun>;
      /** Adds to the table how the files did, for each seed: by width, percents. */
      showFiles(accuracies: Readonly<Record<number, readonly number[]>>): Readonly<Record<number, string>>;
    };
    /** Called, if there, at the start and after each epoch. */
    onEpoch?(done: number, total: number): void;
  }
}

interface FilesToRun {
  readonly files: readonly {readonly bits: number; readonly seed: number; readonly model: string}[];
  readonly images: readonly string[];
  readonly labels: readonly number[];
}

function Play() {
  return (
    <>
      <h1>Handwritten digits in few bits</h1>
      <p>
        Networks of 5578 weights read what you draw: one in float, the others with weights and activations of 8 bits and
        fewer. <span class="live">Draw, and see which of them still can.</span>
      </p>
      <section class="draw live" aria-labelledby="draw">
        <h2 id="draw">Draw a digit</h2>
        <div class="drawing">
          <Pad />
          <Examples />
        </div>
        <Networks />
        <Cells />
      </section>
      <Training />
      <small>
        Data: E. Alpaydin and C. Kaynak,{' '}
        <a href="https://doi.org/10.24432/C50P49">Optical Recognition of Handwritten Digits</a>, UCI Machine Learning
        Repository, <a href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</a>; the 1797 images that
        scikit-learn carries, 1437 to train and 360 to test.
      </small>
    </>
  );
}

window.play = {
  async train() {
    const comparison = await train((done, total) => window.onEpoch?.(done, total));
    if (!comparison) throw new Error('The training was cancelled.');
    return {caption: captionOf(comparison), summary: summarize(comparison.scores, comparison.plan)};
  },

  async filesToRun() {
    const {images, labels} = await reader.digits.testImages();
    return {
      files: finished.value!.scores.flatMap(({bits, seed, file}) =>
        bits !== undefined && file ? [{bits, seed, model: encode(file)}] : [],
      ),
      images: images.map(image => encode(new Uint8Array(image.buffer))),
      labels,
    };
  },

  showFiles(accuracies) {
    const texts = Object.fromEntries(Object.entries(accuracies).map(([bits, values]) => [bits, describe(values)]));
    fileAccuracies.value = texts;
    return texts;
  },
};

render(<Play />, document.querySelector('#main')!);
const tell = (error: unknown) => (failure.value = error instanceof Error ? error.message : String(error));
openTrainedBeforehand()
  .then(() => showExample(3))
  .catch(tell);
reader.broken.catch(tell);
