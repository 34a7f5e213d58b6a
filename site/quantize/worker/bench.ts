/** The bench: what is on it, and what is done with it, one thing after the other. */
import {analyzeQuantization, chooseBits, type QuantizationReport, quantizedWeights} from 'tfjs-quantization/qat';
import * as tf from 'tfjs-quantization/tf';
import {EXAMPLES} from '../../examples/examples';
import type {
  CurvePoint,
  FileKind,
  GivenFile,
  HistogramInfo,
  Improvement,
  LayerSettings,
  ModelInfo,
  ModelSource,
  OnProgress,
  ReportRow,
  Restored,
  RunSamples,
  SampleInfo,
  SampleSource,
  Scaling,
  Scores,
  Settings,
  Width,
  Workbench,
  WrittenFile,
} from './contract';
import {openBackend} from './backends';
import {disposeModel} from './disposal';
import {writeFile} from './files_out';
import {Job} from './job';
import {forgetAll, keep, kept} from './memory';
import {fetchModel} from './model_url';
import {type Known, openFiles, type OpenedModel, vocabulariesOf} from './opened_model';
import {batchSizeOf, kindOfOutput, Outputs, scoresOf} from './outputs';
import {artifactsOf, improved, modelOf, optionsOf, quantized} from './quantizing';
import {exampleSamples} from './samples/example';
import {Feed} from './samples/feed';
import {ImageReader, imageShapeOf} from './samples/images';
import {noise} from './samples/noise';
import {readSamples} from './samples/read_samples';
import type {SampleSet} from './samples/sample_set';
import {scalingProblem} from './samples/scaling';
import {heardWarnings} from './warnings';

/** A report looks at so many samples. */
const ANALYZED = 128;

/** Predictions are timed for so long, in ms. */
const TIMED = 2000;

const WIDTHS: readonly Width[] = [2, 3, 4, 8];

export class Bench implements Workbench {
  #opened: OpenedModel | undefined;
  #feed: Feed | undefined;
  #quantized: {readonly model: tf.LayersModel; readonly settings: Settings} | undefined;
  #report: QuantizationReport | undefined;
  /** What is going on, and what waits for it. */
  readonly #jobs = new Set<Job>();
  #last: Promise<unknown> = Promise.resolve();
  readonly #site: URL;

  /** @param site - the folder of the site, for what it ships. */
  constructor(site: URL) {
    this.#site = site;
  }

  async useBackend(name?: string): Promise<{name: string; available: readonly string[]}> {
    return this.#alone(undefined, () => openBackend(name));
  }

  async openModel(source: ModelSource, onProgress: OnProgress): Promise<ModelInfo> {
    return this.#alone(onProgress, async job => {
      const {files, known} = await this.#filesOf(source, job);
      const opened = await openFiles(files, known, job);
      this.#take(opened);
      const isKept = await keep({
        model: {files: opened.files, known: knownOf(opened.info)},
        settings: undefined,
        quantized: undefined,
      });
      if (isKept) return opened.info;
      return {
        ...opened.info,
        notes: [
          ...opened.info.notes,
          'This browser keeps nothing (a private window, or no room): it is gone when the page is closed.',
        ],
      };
    });
  }

  async #filesOf(source: ModelSource, job: Job): Promise<{files: readonly GivenFile[]; known: Known}> {
    if (source.kind === 'files') return {files: source.files, known: {}};
    if (source.kind === 'url') return {files: await fetchModel(source.url, job), known: {}};
    const example = EXAMPLES.find(({name}) => name === source.name);
    if (!example) throw new Error(`There is no example "${source.name}".`);
    const files = await fetchModel(new URL(example.url, this.#site).href, job);
    return {files, known: {scaling: {scaling: example.scaling, because: 'the example was trained so'}}};
  }

  /** Puts another model on the bench: what was made of the last one goes with it. */
  #take(opened: OpenedModel): void {
    this.#setQuantized(undefined);
    this.#opened?.dispose();
    this.#opened = opened;
    this.#feed = undefined;
  }

  #setQuantized(quantized: {readonly model: tf.LayersModel; readonly settings: Settings} | undefined): void {
    if (this.#quantized) disposeModel(this.#quantized.model);
    this.#quantized = quantized;
    this.#report = undefined;
  }

  async openSamples(source: SampleSource, onProgress: OnProgress): Promise<SampleInfo> {
    return this.#alone(onProgress, async job => {
      const {info, wanted} = this.#model;
      const set = await this.#samplesOf(source, job);
      if (set.count === 0) throw new Error('There are no samples that can be used. See what the model takes.');
      const scaling = info.scaling?.scaling ?? {kind: set.columns[0]!.values instanceof Uint8Array ? 'unit' : 'raw'};
      const isOther = this.#takesIntegers || (set.of !== 'images' && !(set.columns[0]!.values instanceof Uint8Array));
      return this.#serve(new Feed(set, wanted.inputs, isOther ? {kind: 'raw'} : scaling, false));
    });
  }

  async #samplesOf(source: SampleSource, job: Job): Promise<SampleSet> {
    const {wanted, float} = this.#model;
    if (source.kind === 'files') return readSamples(source.files, wanted, source.labelColumn, job);
    if (source.kind === 'noise') return noise(source.count, wanted, vocabulariesOf(float));
    return exampleSamples(this.#site, wanted, job);
  }

  async setScaling(scaling: Scaling, inverted: boolean): Promise<SampleInfo> {
    return this.#alone(undefined, async () => {
      const {set, channels} = this.#samples;
      const isScaled = scaling.kind !== 'raw';
      const problem =
        isScaled && this.#takesIntegers
          ? 'The model takes integers, which are given as they are.'
          : scalingProblem(scaling, channels);
      if (problem) throw new Error(problem);
      return this.#serve(new Feed(set, this.#model.wanted.inputs, scaling, inverted));
    });
  }

  get #takesIntegers(): boolean {
    return this.#model.wanted.inputs.every(({dtype}) => dtype === 'int32');
  }

  /** Takes samples once they are described. */
  async #serve(feed: Feed): Promise<SampleInfo> {
    const info = await feed.info(this.#labels);
    this.#feed = feed;
    this.#report = undefined;
    return info;
  }

  async quantize(settings: Settings, onProgress: OnProgress): Promise<Scores> {
    return this.#alone(onProgress, async job => {
      const {float, own} = this.#model;
      const model = own ? await modelOf(await artifactsOf(own)) : await quantized(float, this.#samples, settings, job);
      return this.#finish(model, settings, job);
    });
  }

  /** Scores a quantized model, and takes it if nothing went wrong. */
  async #finish(model: tf.LayersModel, settings: Settings, job: Job): Promise<Scores> {
    let scores: Scores;
    let artifacts: tf.io.ModelArtifacts;
    try {
      scores = await this.#scores(model, job);
      artifacts = await artifactsOf(model);
      await job.turn();
    } catch (error) {
      disposeModel(model);
      throw error;
    }
    this.#setQuantized({model, settings});
    await keep({settings, quantized: artifacts});
    return scores;
  }

  async #scores(q: tf.LayersModel, job: Job): Promise<Scores> {
    const scores = await scoresOf(q, this.#model.float, this.#samples, this.#labels, job);
    return {...scores, notes: job.warnings};
  }

  async score(onProgress: OnProgress): Promise<Scores> {
    return this.#alone(onProgress, job => this.#scores(this.#current.model, job));
  }

  async suggestWidths(
    bitsPerWeight: number,
    settings: Settings,
    onProgress: OnProgress,
  ): Promise<Record<string, LayerSettings>> {
    return this.#alone(onProgress, async job => {
      const {float} = this.#model;
      const {activations, keepEnds8bit} = optionsOf(settings);
      const {rows} = await chooseBits(float, this.#batches(job), {
        bitsPerWeight,
        widths: WIDTHS,
        quantize: {activations, keepEnds8bit},
        reestimateBatchNorm: settings.reestimateBatchNorm,
        signal: job.signal,
        onProgress: ({done, total}) => job.tell('Trying widths', done, total),
      });
      const chosen = rows.filter(({what, isPinned}) => what === 'weights' && !isPinned);
      return Object.fromEntries(chosen.map(({layer, numBits}) => [layer, {weights: numBits as Width}]));
    });
  }

  async improve(improvement: Improvement, onPoint: (point: CurvePoint) => void): Promise<Scores> {
    return this.#alone(undefined, async job => {
      const {model, settings} = this.#current;
      const better = await improved(
        model,
        this.#model.float,
        this.#samples,
        improvement,
        settings.reestimateBatchNorm,
        onPoint,
        job,
      );
      return this.#finish(better, settings, job);
    });
  }

  async analyze(onProgress: OnProgress): Promise<readonly ReportRow[]> {
    return this.#alone(onProgress, async job => {
      const report = await this.#analyzed('only', job);
      return report.rows.map(({layer, className, only, tensors}) => ({
        layer,
        className,
        only: only?.divergence,
        tensors: tensors.map(({what, of, numBits, min, max, snr, clipped, advice}) => ({
          what,
          of,
          numBits,
          min,
          max,
          snr,
          clipped,
          advice,
        })),
      }));
    });
  }

  async #analyzed(sensitivity: 'only' | 'none', job: Job): Promise<QuantizationReport> {
    const q = this.#current.model;
    return (this.#report = await analyzeQuantization(q, this.#model.float, this.#batches(job), {
      sensitivity,
      samples: ANALYZED,
      signal: job.signal,
      onProgress: ({done, total}) => job.tell('Looking at layers', done, total),
    }));
  }

  async histogram(layer: string, what: string): Promise<HistogramInfo> {
    return this.#alone(undefined, async job => {
      const report = this.#report ?? (await this.#analyzed('none', job));
      const {unit, from, width, counts, levels, clipped} = report.histogram(layer, what);
      return {unit, from, width, counts: [...counts], levels: [...levels], clipped};
    });
  }

  async write(kind: FileKind, onProgress: OnProgress): Promise<WrittenFile> {
    return this.#alone(onProgress, async job => {
      const {float, info} = this.#model;
      const shapes = this.#feed?.set.columns.map(({shape}) => shape);
      return writeFile(kind, {name: info.name, labels: info.labels, float, q: this.#quantized?.model, shapes}, job);
    });
  }

  async runSamples(count: number): Promise<RunSamples> {
    return this.#alone(undefined, job => this.#run(this.#samples, this.#samples.rows().slice(0, count), job));
  }

  async predict(image: ImageBitmap): Promise<RunSamples> {
    return this.#alone(undefined, async job => {
      const [port] = this.#model.wanted.inputs;
      const shape = this.#model.wanted.inputs.length === 1 ? imageShapeOf(port!) : undefined;
      if (!shape) throw new Error('The model takes no images.');
      const {scaling, isInverted, set} = this.#samples;
      const column = {values: new ImageReader(shape).read(image), shape: set.columns[0]!.shape};
      const one: SampleSet = {...set, of: 'images', count: 1, columns: [column], labels: undefined, isTest: undefined};
      return this.#run(new Feed(one, this.#model.wanted.inputs, scaling, isInverted), [0], job);
    });
  }

  async #run(feed: Feed, rows: readonly number[], job: Job): Promise<RunSamples> {
    const {model: q} = this.#current;
    if (this.#model.wanted.inputs.length > 1)
      throw new Error('The model takes several inputs: it does not run here. Take the files, and run them by LiteRT.');
    const quantized = await Outputs.of(q, feed, rows, job);
    const float = await Outputs.of(this.#model.float, feed, rows, job);
    return {
      inputShape: feed.set.columns[0]!.shape,
      inputs: feed.firstInput(rows),
      float: float.values,
      quantized: quantized.values,
      outputShape: quantized.shape,
      step: await this.#stepOf(q, feed),
      millisecondsPerSample: await timeOf(q, feed, rows, job),
    };
  }

  /** How far two levels of the first output are apart, as integer runtimes have it: of shares and probabilities always as far. */
  async #stepOf(q: tf.LayersModel, feed: Feed): Promise<number | undefined> {
    const [output] = q.outputNames;
    const isFloat = this.#model.info.layers.some(({name, float}) => name === output && float !== undefined);
    if (isFloat) return undefined;
    if ((await kindOfOutput(q, feed)) !== 'linear') return 1 / 256;
    const {activations} = await quantizedWeights(q);
    return activations.find(({layer, what}) => layer === output && what === 'output')?.scale[0];
  }

  cancel(): void {
    for (const job of this.#jobs) job.cancel();
  }

  async restore(onProgress: OnProgress): Promise<Restored | undefined> {
    return this.#alone(onProgress, async job => {
      const last = await kept();
      if (!last) return undefined;
      const opened = await openFiles(last.model.files, last.model.known, job);
      let q: tf.LayersModel | undefined;
      try {
        q = last.quantized && (await modelOf(last.quantized));
      } catch {
        // Of another version of this site: it is made anew in seconds.
      }
      this.#take(opened);
      if (q) this.#setQuantized({model: q, settings: last.settings!});
      return {model: opened.info, settings: last.settings, isQuantized: q !== undefined};
    });
  }

  async forget(): Promise<void> {
    await forgetAll();
  }

  /** Lets go of all that is on it. */
  dispose(): void {
    this.#setQuantized(undefined);
    this.#opened?.dispose();
    this.#opened = undefined;
  }

  get #model(): OpenedModel {
    if (!this.#opened) throw new Error('There is no model yet. Bring one first.');
    return this.#opened;
  }

  get #samples(): Feed {
    if (!this.#feed) throw new Error('There are no samples yet. Bring some first.');
    return this.#feed;
  }

  get #current(): {readonly model: tf.LayersModel; readonly settings: Settings} {
    if (!this.#quantized) throw new Error('There is no quantized model yet. Quantize it first.');
    return this.#quantized;
  }

  /** The names of classes, or their numbers; none where outputs are no classes. */
  get #labels(): readonly string[] {
    const {labels, classes} = this.#model.wanted;
    return labels ?? Array.from({length: classes ?? 0}, (_, i) => String(i));
  }

  #batches(job: Job): AsyncIterable<tf.Tensor[]> {
    return this.#samples.batches(this.#samples.rows(), batchSizeOf(this.#model.float), job);
  }

  /** One thing after the other: two at work on one model would be in each other's way. */
  #alone<T>(onProgress: OnProgress | undefined, work: (job: Job) => Promise<T>): Promise<T> {
    const job = new Job(onProgress);
    this.#jobs.add(job);
    const done = this.#last.then(async () => {
      try {
        job.signal.throwIfAborted();
        return await heardWarnings(
          warning => job.warnings.push(warning),
          () => work(job),
        );
      } finally {
        this.#jobs.delete(job);
      }
    });
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function knownOf({name, scaling}: ModelInfo): Known {
  return {name, ...(scaling && {scaling})};
}

/** How long a prediction of one sample takes, in ms, once its programs are compiled: the median of some. */
async function timeOf(q: tf.LayersModel, feed: Feed, rows: readonly number[], job: Job): Promise<number> {
  const size = q.inputs[0]!.shape[0] ?? 1;
  const times: number[] = [];
  const begun = performance.now();
  for (const row of [rows[0]!, ...rows.slice(0, 8)]) {
    if (times.length > 1 && performance.now() - begun > TIMED) break;
    const started = performance.now();
    await Outputs.of(q, feed, [row], job);
    times.push((performance.now() - started) / size);
  }
  const [, ...warm] = times;
  warm.sort((a, b) => a - b);
  return warm[Math.floor(warm.length / 2)]!;
}
