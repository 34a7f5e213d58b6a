/** What stands in the way of a file of TensorFlow Lite's, in a graph of integers. */
import {
  computesInInt16,
  type InferenceGraph,
  type LayerProblem,
  mixedInputs,
  type NamedValue,
  typeOf,
} from '../../inference/graph';
import {needsInt16} from '../../inference/grids';
import type {Operator} from '../../inference/operators';
import {isPlain, writtenAs} from './operators';
import type {PortType} from './storage';

/** Operators with kernels for int8 alone. */
const IN_INT8_ONLY: ReadonlySet<Operator> = new Set(['elu', 'gelu']);

/** Operators with kernels for int16 that overflow an int32 where their argument is larger. */
const OVERFLOWS: ReadonlySet<Operator> = new Set(['sigmoid', 'softmax', 'tanh']);
const LARGEST_ARGUMENT = 2 ** 17;

/** Layers with an operator that does not compute on as many bits as they have, or not on such large numbers. */
export function operatorProblems({nodes}: InferenceGraph): LayerProblem[] {
  return nodes
    .filter(isPlain)
    .filter(computesInInt16)
    .flatMap(node => {
      const {layer, inputs} = node;
      const {operator} = writtenAs(node);
      if (IN_INT8_ONLY.has(node.operator)) {
        const problem =
          `layer ${layer}: TensorFlow Lite computes ${operator} on 8 bits only. Quantize the activations that it takes and ` +
          'those that it gives with numBits of 8 or fewer, or use another activation.';
        return [{layer, problem}];
      }
      const {grid} = inputs[0]!;
      if (!OVERFLOWS.has(node.operator) || !grid) return [];
      const {scale, lowest, highest} = grid;
      const most = Math.round(scale * Math.max(-lowest, highest));
      if (most <= LARGEST_ARGUMENT) return [];
      const problem =
        `layer ${layer}: TensorFlow Lite computes ${operator} of more than 8 bits for numbers up to ${LARGEST_ARGUMENT}, ` +
        `but it is given up to ${most}. Scale them, or quantize them with numBits of 8 or fewer.`;
      return [{layer, problem}];
    });
}

/** Inputs that are to be integers on a grid, and row numbers or on other grids at the same time. */
function mixedProblems(graph: InferenceGraph, inputType: PortType): string[] {
  if (inputType === 'float32') return [];
  const mixed = mixedInputs(graph);
  return graph.inputs
    .filter(({value}) => mixed.has(value) && !typeOf(value))
    .map(
      ({name}) =>
        `input ${name}: it goes to several places, as row numbers or on grids of their own, and ${inputType} is on one. ` +
        "Leave inputType 'float32', or build the model with an input for each.",
    );
}

/** Inputs or outputs that are no integers on a grid, as segments take and give them. */
function floatPorts(ports: readonly NamedValue[], type: PortType, option: string, what: string): string[] {
  if (type === 'float32') return [];
  return ports
    .filter(({value}) => typeOf(value) === 'float32')
    .map(({name}) => `${option} ${type} is on a grid, but ${what} ${name} is float. Leave it 'float32'.`);
}

/** Inputs or outputs with more levels than the type in which they are asked for. */
function portProblems(ports: readonly NamedValue[], type: PortType, option: string, what: string): string[] {
  if (type !== 'int8' && type !== 'uint8') return [];
  return ports
    .filter(({value}) => needsInt16(value.grid))
    .map(
      ({name}) =>
        `${option} ${type} has 256 levels, but ${what} ${name} more. Use 'int16' or 'float32', or quantize its ` +
        'activations with numBits of 8 or fewer.',
    );
}

export function fileProblems(graph: InferenceGraph, inputType: PortType, outputType: PortType): string[] {
  return [
    ...mixedProblems(graph, inputType),
    ...floatPorts(graph.inputs, inputType, 'inputType', 'input'),
    ...floatPorts(graph.outputs, outputType, 'outputType', 'output'),
    ...portProblems(graph.inputs, inputType, 'inputType', 'input'),
    ...portProblems(graph.outputs, outputType, 'outputType', 'output'),
  ];
}
