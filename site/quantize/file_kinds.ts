/** The kinds of files, in the order in which visitors look for them, and what each is for. */
import type {FileKind} from './worker/contract';

export interface FileKindInfo {
  readonly kind: FileKind;
  readonly title: string;
  /** What it is for: docs/files.md says more. */
  readonly purpose: string;
  /** Whether it is made of the float model: what happens to the quantized one does not change it. */
  readonly isOfFloat?: boolean;
  /** Whether its weights are float. */
  readonly hasFloatWeights?: boolean;
}

export interface FileGroup {
  readonly title: string;
  /** The page that says more. */
  readonly docs: string;
  readonly kinds: readonly FileKindInfo[];
}

export const FILE_GROUPS: readonly FileGroup[] = [
  {
    title: 'Phones, web pages, single-board computers: LiteRT',
    docs: 'docs/files/',
    kinds: [
      {
        kind: 'tflite',
        title: '.tflite, integers',
        purpose: 'The one to start with: computes in integers what you see above, and takes and gives float numbers.',
      },
      {
        kind: 'tflite-dynamic-int8',
        title: '.tflite, weights of 8 bits',
        purpose:
          'The float model with weights of 8 bits (dynamic range). It needs no samples, and computes partly in float.',
        isOfFloat: true,
      },
      {
        kind: 'tflite-dynamic-int4',
        title: '.tflite, weights of 4 bits',
        purpose: 'The same with weights of 4 bits: an eighth of the size, if the model bears it.',
        isOfFloat: true,
      },
      {
        kind: 'tflite-float16',
        title: '.tflite, float16',
        purpose: 'For GPUs that compute in half precision.',
        isOfFloat: true,
        hasFloatWeights: true,
      },
      {
        kind: 'tflite-float32',
        title: '.tflite, float32',
        purpose: 'The float model as it is, to compare with.',
        isOfFloat: true,
        hasFloatWeights: true,
      },
    ],
  },
  {
    title: 'Microcontrollers: TensorFlow Lite Micro',
    docs: 'docs/microcontrollers/',
    kinds: [
      {
        kind: 'tflite-int8',
        title: '.tflite, integers in and out',
        purpose: 'What a board likes best: inputs and outputs are int8 as well.',
      },
      {
        kind: 'arduino',
        title: 'Arduino sketch',
        purpose: 'A folder to open in the Arduino IDE: the model, its operators, its memory, a loop that runs it.',
      },
      {
        kind: 'cpp',
        title: 'C++',
        purpose: 'The model and its operators as source, for any other board.',
      },
    ],
  },
  {
    title: 'Everything that reads ONNX: onnxruntime, onnxruntime-web',
    docs: 'docs/onnx/',
    kinds: [
      {kind: 'onnx', title: 'ONNX, integers', purpose: 'The quantized model, for onnxruntime and what it runs on.'},
      {
        kind: 'onnx-float32',
        title: 'ONNX, float32',
        purpose: 'The float model as it is.',
        isOfFloat: true,
        hasFloatWeights: true,
      },
    ],
  },
  {
    title: 'Your own program',
    docs: 'docs/files/',
    kinds: [
      {
        kind: 'tfjs',
        title: 'Small tfjs model',
        purpose: 'model.json with packed weights: tfjs loads it as a float model of about a quarter of the size.',
      },
      {
        kind: 'integers',
        title: 'Raw integers, JSON',
        purpose: 'Every weight as integers with scales and zero points, for a runtime of your own.',
      },
    ],
  },
];

export const FILE_KINDS: readonly FileKindInfo[] = FILE_GROUPS.flatMap(({kinds}) => kinds);
