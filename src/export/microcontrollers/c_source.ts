/** A .tflite file as C++ that programs for microcontrollers are built with. */
import {optionProblems} from '../../check/options';
import {must, type Rules, shownAll, throwProblems} from '../../check/rules';
import {floatOf, isIdentifier, linesOf, stringOf} from './c_text';
import {adderOf, operatorProblems} from './kernels';
import {labelsIn} from './labels';
import {type FileTensor, type ModelFile, readModel, sizeOf} from './model_file';

/**
 * What {@link cSource} and {@link arduinoSketch} take.
 *
 * @example
 * ```js
 * import {cSource, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const labels = ['up', 'down', 'left', 'right'];
 * const files = cSource(await toTFLite(q), {name: 'gestures', labels});
 * console.log([...files.keys()].join(' ')); // gestures_model.h gestures_model.cpp
 * ```
 */
export interface CSourceOptions {
  /** What the names of files, and of all in them, begin with: an identifier of C. */
  readonly name: string;
  /** The name of each class that the first output has a score for; those in the file by default. */
  readonly labels?: readonly string[];
}

const NAME = must('an identifier that C and C++ let be a name, as gestures', isIdentifier);

const RULES: Rules<CSourceOptions> = {
  name: NAME,
  labels: must(
    'an array of strings',
    (value: unknown) => Array.isArray(value) && value.every(each => typeof each === 'string'),
    shownAll,
  ),
};

/** An input or an output. */
export interface Port {
  /** What its constants' names begin with. */
  readonly prefix: string;
  /** What its callers call it. */
  readonly name: string;
  readonly tensor: FileTensor;
}

/** What the texts are made of. */
export interface SourceParts {
  readonly name: string;
  readonly file: ModelFile;
  readonly labels: readonly string[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** Reads and checks what functions that write C++ are given. */
export function sourceParts(caller: string, bytes: Uint8Array, options: CSourceOptions): SourceParts {
  throwProblems(caller, [
    ...optionProblems(options, RULES),
    ...(options?.name === undefined ? NAME(undefined, 'name') : []),
  ]);
  const {name} = options;
  const file = readModel(caller, bytes);
  const portsOf = (kind: 'inputs' | 'outputs'): Port[] => {
    const {[kind]: numbers, tensors} = file.subgraphs[0]!;
    return numbers.map((number, i) => ({
      prefix: `${name}_${kind.slice(0, -1)}${i}`,
      name: file.portNames.get(number) ?? tensors[number]!.name,
      tensor: tensors[number]!,
    }));
  };
  const outputs = portsOf('outputs');
  const labels = options.labels ?? labelsIn(caller, file);
  throwProblems(caller, [...operatorProblems(file), ...labelProblems(labels, outputs)]);
  return {name, file, labels, inputs: portsOf('inputs'), outputs};
}

function labelProblems(labels: readonly string[], [first]: readonly Port[]): string[] {
  const classes = first?.tensor.shape.at(-1) ?? 1;
  if (labels.length === 0 || labels.length === classes) return [];
  return [`labels must be ${classes} strings, one for each class of the first output, but were ${labels.length}.`];
}

/** A text in a comment, which it must not end. */
export const quoted = (text: string) => JSON.stringify(text).replace(/[\u007f-\uffff]/g, '?');

/** Whether a tensor's numbers stand for others. */
export function isOnGrid({scale, zeroPoint}: FileTensor): boolean {
  return scale.length === 1 && zeroPoint.length === 1 && scale[0]! > 0 && Number.isFinite(scale[0]);
}

function portLines({prefix, name, tensor}: Port): string[] {
  const {type, shape, scale, zeroPoint} = tensor;
  const isQuantized = isOnGrid(tensor);
  const meaning = isQuantized ? ', which stand for scale * (number - zero point)' : '';
  return [
    `// ${quoted(name)}: [${shape.join(', ')}] numbers of ${type.toLowerCase()}${meaning}.`,
    `constexpr int ${prefix}_shape[] = {${shape.join(', ') || '1'}};`,
    `constexpr int ${prefix}_size = ${sizeOf(tensor)};`,
    ...(isQuantized
      ? [
          `constexpr float ${prefix}_scale = ${floatOf(scale[0]!)};`,
          `constexpr int ${prefix}_zero_point = ${zeroPoint[0]!};`,
        ]
      : []),
    '',
  ];
}

/** The calls that add the model's operators to a resolver, each once. */
const addersOf = ({subgraphs}: ModelFile) => [
  ...new Set(subgraphs.flatMap(({operators}) => operators.map(each => adderOf(each)!))),
];

function header({name, file, labels, inputs, outputs}: SourceParts): string {
  const guard = `${name}_MODEL_H_`;
  const lines = [
    '// Written by tfjs-quantization: a model for TensorFlow Lite Micro.',
    `#ifndef ${guard}`,
    `#define ${guard}`,
    '',
    '#include <cstddef>',
    '#include <cstdint>',
    '',
    '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"',
    '',
    '// The .tflite file, for tflite::GetModel.',
    `extern const unsigned char ${name}_model[];`,
    `constexpr size_t ${name}_model_size = ${file.bytes.length};`,
    '',
    ...[...inputs, ...outputs].flatMap(portLines),
    ...(labels.length > 0
      ? [
          '// The classes of the first output.',
          `constexpr int ${name}_label_count = ${labels.length};`,
          `extern const char* const ${name}_labels[];`,
          '',
        ]
      : []),
    '// What the model computes with.',
    `using ${name}_op_resolver = tflite::MicroMutableOpResolver<${Math.max(1, addersOf(file).length)}>;`,
    `TfLiteStatus ${name}_register_ops(${name}_op_resolver& resolver);`,
    '',
    `#endif  // ${guard}`,
  ];
  return `${lines.join('\n')}\n`;
}

function source({name, file, labels}: SourceParts): string {
  const lines = [
    `#include "${name}_model.h"`,
    '',
    `alignas(16) const unsigned char ${name}_model[] = {`,
    linesOf(file.bytes),
    '};',
    '',
    ...(labels.length > 0
      ? [`const char* const ${name}_labels[] = {`, ...labels.map(label => `    ${stringOf(label)},`), '};', '']
      : []),
    `TfLiteStatus ${name}_register_ops(${name}_op_resolver& resolver) {`,
    ...addersOf(file).map(adder => `  if (resolver.${adder}() != kTfLiteOk) return kTfLiteError;`),
    '  return kTfLiteOk;',
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** The header and the source, by the names of their files. */
export function sourceFiles(parts: SourceParts): [file: string, text: string][] {
  return [
    [`${parts.name}_model.h`, header(parts)],
    [`${parts.name}_model.cpp`, source(parts)],
  ];
}

/**
 * A model as C++ for TensorFlow Lite Micro: a header and a source, with the file's bytes, its inputs' and outputs' shapes,
 * scales and zero points, its labels, and the operators that it needs, ready to be registered. The same file gives the same
 * text.
 *
 * With the name `gestures`, `gestures_model.h` has `gestures_model` and `gestures_model_size`, `gestures_input0_scale` and the
 * like for each input and output, `gestures_labels`, and `gestures_register_ops(resolver)` for a `gestures_op_resolver`.
 *
 * @param bytes - what toTFLite gave, or any .tflite file.
 * @param options - the name, and labels if the file has none.
 * @returns texts by the names of their files.
 * @throws if TensorFlow Lite Micro does not have an operator of the model.
 *
 * @example
 * ```js
 * import {writeFile} from 'node:fs/promises';
 * import {cSource, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const bytes = await toTFLite(q, {inputType: 'int8', outputType: 'int8'});
 * for (const [file, text] of cSource(bytes, {name: 'gestures'})) {
 *   await writeFile(file, text);
 * }
 * ```
 */
export function cSource(bytes: Uint8Array, options: CSourceOptions): Map<string, string> {
  return new Map(sourceFiles(sourceParts('cSource', bytes, options)));
}
