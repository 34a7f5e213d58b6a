/** A .tflite file as a sketch for Arduino. */
import {throwProblems} from '../../check/rules';
import {arenaOf} from './arena_size';
import {type CSourceOptions, isOnGrid, type Port, quoted, sourceFiles, type SourceParts, sourceParts} from './c_source';
import type {FileTensor} from './model_file';

/** How a sketch comes by the numbers of each type. */
const MEMBERS: Readonly<Partial<Record<FileTensor['type'], string>>> = {
  BOOL: 'b',
  FLOAT32: 'f',
  INT16: 'i16',
  INT32: 'i32',
  INT64: 'i64',
  INT8: 'int8',
  UINT8: 'uint8',
};

/** The ends of the types whose numbers stand for others. */
const ENDS: Readonly<Partial<Record<FileTensor['type'], readonly [number, number]>>> = {
  INT16: [-32768, 32767],
  INT8: [-128, 127],
  UINT8: [0, 255],
};

const endsOf = ({tensor}: Port) => (isOnGrid(tensor) ? ENDS[tensor.type] : undefined);

/** A function that the user fills, and the line that calls it. */
function reader({name, tensor}: Port, i: number): string {
  return `// Number ${tensor.shape.length > 1 ? 'n, row by row,' : 'n'} of the input ${quoted(name)}: [${tensor.shape.join(', ')}].
float readInput${i}(int n) {
  (void)n;
  return 0.0f;  // Your sensor's number n goes here, scaled as those that the model was trained on.
}
`;
}

function fill(port: Port, i: number): string {
  const ends = endsOf(port);
  const value = ends
    ? `integerOf(readInput${i}(n), ${port.prefix}_scale, ${port.prefix}_zero_point, ${ends[0]}, ${ends[1]})`
    : `readInput${i}(n)`;
  return `  for (int n = 0; n < ${port.prefix}_size; ++n) {
    interpreter->input(${i})->data.${MEMBERS[port.tensor.type]!}[n] = ${value};
  }`;
}

function print(port: Port, i: number, {name, labels}: SourceParts): string {
  const {prefix, tensor} = port;
  const number = `interpreter->output(${i})->data.${MEMBERS[tensor.type]!}[n]`;
  const score = endsOf(port) ? `(${number} - ${prefix}_zero_point) * ${prefix}_scale` : `static_cast<float>(${number})`;
  const label = i === 0 && labels.length > 0 ? `${name}_labels[n % ${name}_label_count]` : 'n';
  return `  for (int n = 0; n < ${prefix}_size; ++n) {
    Serial.print(${label});
    Serial.print(": ");
    Serial.println(${score}, 4);
  }`;
}

/** Needed where an input's numbers stand for others. */
const INTEGER_OF = `
// The integer that stands for a value.
long integerOf(float value, float scale, int zero_point, long lowest, long highest) {
  const long integer = lround(value / scale) + zero_point;
  return integer < lowest ? lowest : integer > highest ? highest : integer;
}
`;

function sketch(parts: SourceParts, arena: number): string {
  const {name, inputs, outputs} = parts;
  return `// ${name}: a model that tells over Serial what it makes of its input. Written by tfjs-quantization.
//
// 1. Install the library Chirale_TensorFLowLite (Tools, Manage Libraries...): TensorFlow Lite Micro for 32-bit boards.
// 2. Keep this file, ${name}_model.h and ${name}_model.cpp in a folder named ${name}, and open it.
// 3. Have readInput0 give your sensor's numbers, upload, and open the Serial Monitor at 115200 baud.
#include <Chirale_TensorFlowLite.h>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#include "${name}_model.h"

// The memory that the model works in, more than it takes with plain kernels. setup() says if yours ask for more.
constexpr size_t kArenaSize = ${arena};
alignas(16) uint8_t arena[kArenaSize];

tflite::MicroInterpreter* interpreter = nullptr;

${inputs.map(reader).join('\n')}${inputs.some(endsOf) ? INTEGER_OF : ''}
void fillInputs() {
${inputs.map(fill).join('\n')}
}

void printOutputs() {
${outputs.map((port, i) => print(port, i, parts)).join('\n')}
}

void stop(const char* why) {
  while (true) {
    Serial.println(why);
    delay(1000);
  }
}

void setup() {
  Serial.begin(115200);
  const tflite::Model* model = tflite::GetModel(${name}_model);
  if (model->version() != TFLITE_SCHEMA_VERSION) stop("The library is for another version of models.");
  static ${name}_op_resolver resolver;
  if (${name}_register_ops(resolver) != kTfLiteOk) stop("An operator could not be registered.");
  static tflite::MicroInterpreter made(model, resolver, arena, kArenaSize);
  interpreter = &made;
  if (interpreter->AllocateTensors() != kTfLiteOk) stop("The arena is too small: raise kArenaSize.");
  Serial.print("bytes of the arena in use: ");
  Serial.println(static_cast<unsigned long>(interpreter->arena_used_bytes()));
}

void loop() {
  fillInputs();
  if (interpreter->Invoke() != kTfLiteOk) stop("The model could not compute.");
  printOutputs();
  delay(1000);
}
`;
}

/**
 * A model as a sketch for Arduino: it loads the model, fills its inputs, computes, and prints each label with its score over
 * Serial, once a second. What is left to do is to read a sensor, in `readInput0`.
 *
 * @param bytes - what toTFLite gave, or any .tflite file.
 * @param options - the name, which the folder of the files must have, and labels if the file has none.
 * @returns texts by the names of their files: the sketch, and what cSource gives.
 * @throws if TensorFlow Lite Micro does not have an operator of the model, or a file does not tell what memory it takes.
 *
 * @example
 * ```js
 * import {mkdir, writeFile} from 'node:fs/promises';
 * import {arduinoSketch, toTFLite} from 'tfjs-quantization/tflite';
 *
 * const bytes = await toTFLite(q, {labels: ['up', 'down', 'left', 'right']});
 * await mkdir('gestures');
 * for (const [file, text] of arduinoSketch(bytes, {name: 'gestures'})) {
 *   await writeFile(`gestures/${file}`, text);
 * }
 * ```
 */
export function arduinoSketch(bytes: Uint8Array, options: CSourceOptions): Map<string, string> {
  const parts = sourceParts('arduinoSketch', bytes, options);
  const odd = [...parts.inputs, ...parts.outputs].filter(({tensor}) => !MEMBERS[tensor.type]);
  const problems = odd.map(
    ({name, tensor}) => `bytes have ${tensor.type} in ${name}, which a sketch cannot fill or print.`,
  );
  throwProblems('arduinoSketch', [...new Set(problems)]);
  const {required} = arenaOf('arduinoSketch', parts.file);
  return new Map([[`${parts.name}.ino`, sketch(parts, required)], ...sourceFiles(parts)]);
}
