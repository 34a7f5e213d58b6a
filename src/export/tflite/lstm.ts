/** An LSTM as one operator, with the tensors that hold its states. */
import type {Node} from '../../inference/graph';
import type {Gate} from '../../inference/operators';
import {storageOf} from '../../inference/storage';
import {floatFilter, integerFilter} from './filters';
import {ABSENT, type FlatOperator} from './flat_model';
import {FUSED_ACTIVATIONS} from './schema';
import type {TensorList} from './tensor_list';

const WIDTHS = {inInt16: false, asInt4: false, onOneStep: true};
/** Weights of gates are laid out as those of dense layers. */
const LAYOUT = {operator: 'dense'} as const;

/** Tensors of a gate. */
interface GateTensors {
  readonly weights: number;
  readonly recurrentWeights: number;
  readonly bias: number;
}

/** Those of a gate in floats or, for an input and an output of given steps, in integers. */
function gateTensors(
  tensors: TensorList,
  layer: string,
  {kernel, recurrentKernel}: Gate,
  steps: readonly [input: number, output: number] | undefined,
): GateTensors {
  if (steps) {
    const [own, recurrent] = [kernel, recurrentKernel].map((filter, i) =>
      integerFilter(LAYOUT, filter, steps[i]!, WIDTHS),
    );
    const [weights, recurrentWeights] = [own!, recurrent!].map(filter => tensors.weights(layer, filter, false));
    return {weights: weights!, recurrentWeights: recurrentWeights!, bias: tensors.bias(layer, own!, false)};
  }
  const {weights, bias} = floatFilter(LAYOUT, kernel);
  return {
    weights: tensors.floats(layer, 'weights', weights),
    recurrentWeights: tensors.floats(layer, 'weights', floatFilter(LAYOUT, recurrentKernel).weights),
    bias: tensors.floats(layer, 'bias', bias),
  };
}

/**
 * The operators of an LSTM whose inputs are tensors, the last of which gives `output`. Runtimes keep its states from call to
 * call: what is not to go on where the last call ended writes zeros, or what it is given, into them first.
 */
export function lstmOperators(
  {layer, inputs, output, attributes: {gates, cell, stateful}}: Node<'lstm'>,
  tensors: TensorList,
  [x, ...initial]: readonly number[],
  result: number,
): FlatOperator[] {
  const [batch, , units] = output.shape as [number, number, number];
  const {grid} = output;
  const steps = grid && ([inputs[0]!.grid!.scale, grid.scale] as const);
  const {input, forget, cell: candidate, output: out} = gates;
  const all = [input, forget, candidate, out].map(gate => gateTensors(tensors, layer, gate, steps));
  const shape = [batch, units];
  const quantization = grid && {scale: [grid.scale], zeroPoint: [storageOf(grid).zeroPoint]};
  const states = [
    tensors.add(`${layer}/hidden`, {type: grid ? 'int8' : 'float32', shape, isVariable: true, ...quantization}),
    tensors.add(`${layer}/cell`, {
      type: cell ? 'int16' : 'float32',
      shape,
      isVariable: true,
      ...(cell && {scale: [cell.scale], zeroPoint: [0]}),
    }),
  ];
  const nothing = new Float32Array(batch * units);
  const zeros = () => tensors.given(layer, {type: 'float32', shape, values: nothing});
  const starts =
    stateful && initial.length === 0 ? [] : states.map((state, i) => startOf(initial[i] ?? zeros(), state));
  const onTheWay = (type: 'float32' | 'int8') =>
    tensors.add(`${layer}/intermediate`, {type, shape: [0], ...(type === 'int8' && quantization)});
  return [
    ...starts,
    {
      operator: 'UNIDIRECTIONAL_SEQUENCE_LSTM',
      inputs: [
        x!,
        ...all.map(({weights}) => weights),
        ...all.map(({recurrentWeights}) => recurrentWeights),
        ...[ABSENT, ABSENT, ABSENT],
        ...all.map(({bias}) => bias),
        ...[ABSENT, ABSENT],
        ...states,
        ...[ABSENT, ABSENT, ABSENT, ABSENT],
      ],
      outputs: [result],
      options: {fusedActivationFunction: FUSED_ACTIVATIONS.TANH},
      int16: false,
      int4: false,
      ...(grid && {intermediates: [...Array.from({length: 4}, () => onTheWay('float32')), onTheWay('int8')]}),
    },
  ];
  /** What writes a value into a state. */
  function startOf(from: number, to: number): FlatOperator {
    if (!grid) {
      return {operator: 'ADD', inputs: [from, zeros()], outputs: [to], options: {}, int16: false, int4: false};
    }
    const int16 = tensors.all[to]!.type === 'int16';
    return {operator: 'QUANTIZE', inputs: [from], outputs: [to], options: {}, int16, int4: false};
  }
}
