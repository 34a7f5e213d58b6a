/**
 * What the page asks of its worker, where all of tfjs runs, so that the page itself never waits. Everything that passes is
 * plain data. A call that fails or is cancelled leaves the bench as it was before, and rejects with words for the visitor.
 */
import type {TensorHistogram, TensorReport} from 'tfjs-quantization/qat';

/** A file that a visitor gave, with its path in the folder or archive that it came in. */
export interface GivenFile {
  readonly path: string;
  readonly data: Blob;
}

/** Where a model comes from: files (an archive is one), an address, or an example of the site by its name. */
export type ModelSource =
  | {readonly kind: 'files'; readonly files: readonly GivenFile[]}
  | {readonly kind: 'url'; readonly url: string}
  | {readonly kind: 'example'; readonly name: string};

/** What a tensor of the model is. A size that the model leaves open is null. */
export interface PortInfo {
  readonly name: string;
  readonly shape: readonly (number | null)[];
  readonly dtype: string;
}

export interface LayerInfo {
  readonly name: string;
  readonly className: string;
  readonly outputShape: string;
  readonly parameters: number;
  /** Why it stays float; undefined where it is quantized, or only moves values. */
  readonly float: string | undefined;
  /** Whether it has weights of its own, whose width may be chosen. */
  readonly hasWeights: boolean;
}

/** How numbers of samples become what the model was trained on. */
export type Scaling =
  /** Bytes by 255, from 0 to 1. */
  | {readonly kind: 'unit'}
  /** Bytes by 127.5 less 1, from -1 to 1. */
  | {readonly kind: 'symmetric'}
  /** Left as they are: bytes from 0 to 255, or numbers of a file. */
  | {readonly kind: 'raw'}
  /** Less a mean, by a deviation, each a number or one for each channel; bytes are brought to 0..1 before. */
  | {readonly kind: 'standard'; readonly mean: readonly number[]; readonly deviation: readonly number[]};

export interface ModelInfo {
  readonly name: string;
  /** What it is, for people: 'Teachable Machine image model', 'graph model', 'layers model of Keras 3'. */
  readonly kind: string;
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
  readonly parameters: number;
  /** Of its weights in float32. */
  readonly bytes: number;
  readonly layers: readonly LayerInfo[];
  /** Names of its classes, if it came with some. */
  readonly labels: readonly string[] | undefined;
  /** How its inputs are scaled, if it says so itself, and where it says it. */
  readonly scaling: {readonly scaling: Scaling; readonly because: string} | undefined;
  /** Whether it came quantized, with ranges of its own. */
  readonly isQuantized: boolean;
  /** What the visitor should know: what was left out, what was mended. */
  readonly notes: readonly string[];
}

/** Where samples come from. Images, archives of them, .csv and .npy are told apart by their names; folders name classes. */
export type SampleSource =
  | {
      readonly kind: 'files';
      readonly files: readonly GivenFile[];
      /** Of .csv: the column that holds the class; if undefined, the one that alone can. */
      readonly labelColumn?: string;
    }
  | {readonly kind: 'example'}
  | {readonly kind: 'noise'; readonly count: number};

export interface SampleInfo {
  readonly count: number;
  readonly of: 'images' | 'rows' | 'arrays' | 'noise';
  /** How many samples each class has, where files told classes; in the order of the model's outputs. */
  readonly classes: readonly {readonly label: string; readonly count: number}[] | undefined;
  /** Names of the columns of .csv, of which one may be the class. */
  readonly columns: readonly string[] | undefined;
  /** That of them which is taken for the class. */
  readonly labelColumn: string | undefined;
  /** The first samples as the model sees them, for images: RGBA pixels of the input's size. */
  readonly previews: readonly ImageBitmap[];
  /** What the model is given, after scaling. */
  readonly values: {readonly min: number; readonly max: number; readonly mean: number};
  readonly scaling: Scaling;
  /** For images of one channel: whether dark and light are swapped. */
  readonly inverted: boolean;
  /** What the visitor should know: files that were left out and why, noise that stands for samples, classes unlike the model's. */
  readonly warnings: readonly string[];
}

export type Width = 2 | 3 | 4 | 8;

/** Of one layer, against those of the whole: a width, or left float. */
export interface LayerSettings {
  readonly weights?: Width;
  readonly activations?: Width;
  readonly isFloat?: boolean;
}

export interface Settings {
  readonly weights: Width;
  readonly activations: Width;
  /** Whether inputs, first and last layers keep 8 bits. */
  readonly keepEnds8bit: boolean;
  readonly layers: Readonly<Record<string, LayerSettings>>;
  /** How calibration finds ranges. */
  readonly method: 'mse' | 'minMax' | 'percentile';
  readonly reestimateBatchNorm: boolean;
}

/** How the quantized model does, on the samples. */
export interface Scores {
  readonly samples: number;
  /** The share of samples of which both models say the same class, in [0, 1]; undefined where outputs are not classes. */
  readonly sameClass: number | undefined;
  readonly divergence: number;
  /** The share that is right, in [0, 1], on samples that training did not see; undefined without labels. */
  readonly accuracy: {readonly float: number; readonly quantized: number} | undefined;
  /** Rows are true classes (or without labels the float model's), columns the quantized model's; undefined where outputs are not classes. */
  readonly confusion: readonly (readonly number[])[] | undefined;
  readonly labels: readonly string[];
  /** What the visitor should know: that samples are few, that learning was undone. */
  readonly notes: readonly string[];
}

/** Each calls `distil` (no labels) or trains with labels. */
export type Improvement =
  | {readonly kind: 'distil'; readonly steps: number}
  | {readonly kind: 'train'; readonly epochs: number; readonly learningRate: number};

/** A point of the live curves. */
export interface CurvePoint {
  readonly step: number;
  readonly steps: number;
  readonly loss: number | undefined;
  /** Of training with labels, at the end of an epoch: of samples that are held out. */
  readonly accuracy: number | undefined;
}

/** Of a report of the package what the page shows. */
export type TensorRow = Pick<TensorReport, 'what' | 'of' | 'numBits' | 'min' | 'max' | 'snr' | 'clipped' | 'advice'>;

/** Where accuracy goes: worst layers first. */
export interface ReportRow {
  readonly layer: string;
  readonly className: string;
  /** What rounding it alone costs: divergence. */
  readonly only: number | undefined;
  readonly tensors: readonly TensorRow[];
}

export type HistogramInfo = Omit<TensorHistogram, 'plot'>;

/** Kinds of files, by what they are: names of {@link Workbench.write}. */
export type FileKind =
  | 'tflite'
  | 'tflite-int8'
  | 'tflite-float32'
  | 'tflite-float16'
  | 'tflite-dynamic-int8'
  | 'tflite-dynamic-int4'
  | 'onnx'
  | 'onnx-float32'
  | 'tfjs'
  | 'cpp'
  | 'arduino'
  | 'integers';

export interface WrittenFile {
  readonly kind: FileKind;
  /** Such as 'digits_int8.tflite', 'digits_arduino.zip'. */
  readonly name: string;
  readonly data: Blob;
  /** What else is to be known: of C++ and Arduino the arena's bytes. */
  readonly note: string | undefined;
}

/** Samples as a runtime takes them, with what the models say of them; inputs and outputs flattened, one sample after the other. */
export interface RunSamples {
  readonly inputShape: readonly number[];
  readonly inputs: Float32Array;
  readonly float: Float32Array;
  readonly quantized: Float32Array;
  readonly outputShape: readonly number[];
  /** How far two levels of the output's grid are apart; undefined where it is float. */
  readonly step: number | undefined;
  /** Of the quantized model in tfjs, one image at a time, after the first. */
  readonly millisecondsPerSample: number;
}

/** How far something is: `total` is undefined where nobody knows. */
export interface Progress {
  readonly doing: string;
  readonly done: number;
  readonly total: number | undefined;
}

/** Callbacks are proxies of Comlink on the page's side. */
export type OnProgress = (progress: Progress) => void;

/** What was kept of the last visit. */
export interface Restored {
  readonly model: ModelInfo;
  readonly settings: Settings | undefined;
  /** Whether the quantized model came back too, with its ranges and what it learnt. */
  readonly isQuantized: boolean;
}

export interface Workbench {
  /** Makes a backend tfjs's own, by default the fastest that is here, and tells which. */
  useBackend(name?: string): Promise<{readonly name: string; readonly available: readonly string[]}>;
  /** Opens a model, which takes the place of the last one and of what was made of it. */
  openModel(source: ModelSource, onProgress: OnProgress): Promise<ModelInfo>;
  /** Brings samples, which take the place of the last ones. */
  openSamples(source: SampleSource, onProgress: OnProgress): Promise<SampleInfo>;
  /** Scales the samples otherwise. */
  setScaling(scaling: Scaling, inverted: boolean): Promise<SampleInfo>;
  /** Quantizes the model and calibrates it. */
  quantize(settings: Settings, onProgress: OnProgress): Promise<Scores>;
  /** How the quantized model on the bench does, on the samples there: after one of both came back, or is another. */
  score(onProgress: OnProgress): Promise<Scores>;
  /** Widths for each layer within an average of bits a weight: `chooseBits`. All else is as in the settings. */
  suggestWidths(
    bitsPerWeight: number,
    settings: Settings,
    onProgress: OnProgress,
  ): Promise<Readonly<Record<string, LayerSettings>>>;
  improve(improvement: Improvement, onPoint: (point: CurvePoint) => void): Promise<Scores>;
  /** Where accuracy goes. */
  analyze(onProgress: OnProgress): Promise<readonly ReportRow[]>;
  histogram(layer: string, what: string): Promise<HistogramInfo>;
  /** Writes a file of what is on the bench. */
  write(kind: FileKind, onProgress: OnProgress): Promise<WrittenFile>;
  runSamples(count: number): Promise<RunSamples>;
  /** What both models say of one picture, of a webcam: the input that they were given, and their outputs. */
  predict(image: ImageBitmap): Promise<RunSamples>;
  /** Stops what is going on, and what waits for it (calls are done one after the other), which then rejects with an AbortError. */
  cancel(): void;
  /** What the last visit left: the model, settings, the quantized model. */
  restore(onProgress: OnProgress): Promise<Restored | undefined>;
  /** Forgets it. */
  forget(): Promise<void>;
}
