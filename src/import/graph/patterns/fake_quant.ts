/** What rounds, of values that are no constants: by a layer that rounds, which may become part of the one before it. */
import {QuantizedInput} from '../../../qat/quantized_layers/quantized_input';
import type {GraphNode, Known} from '../graph_reader';
import type {Match, NoLayer, Pattern} from '../pattern';
import {noLayer, oneLayer, scalarOf} from './parts';

/** How a node rounds. */
interface Rounding {
  readonly numBits: number;
  readonly narrowRange: boolean;
  readonly range: readonly [min: number, max: number];
}

function rounding(node: GraphNode, {numBits, narrowRange, range: [min, max]}: Rounding): Match | NoLayer {
  if (numBits < 2 || numBits > 16) return noLayer(`rounds to ${numBits} bits, and layers to 2 to 16`);
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max)) {
    return noLayer(`rounds to [${min}, ${max}], which is no range`);
  }
  const quantizer = {numBits, narrowRange, fixed: [min, max], pinned: true} as const;
  return oneLayer(node, [node.inputs[0]!], ({name}) => new QuantizedInput({name, quantizer}));
}

const COMPUTED = /*#__PURE__*/ noLayer('computes its range');
const BY_CHANNEL = /*#__PURE__*/ noLayer('rounds each channel of an activation on a range of its own');

/** Its range, which it is given; undefined if that is computed. */
function givenRange({inputs}: GraphNode, known: Known): readonly [min: number, max: number] | undefined {
  const [min, max] = [scalarOf(known.constant(inputs[1])), scalarOf(known.constant(inputs[2]))];
  return min === undefined || max === undefined ? undefined : [min, max];
}

export const fakeQuantWithMinMaxArgs: Pattern = node => {
  const {attrs} = node;
  const range = [attrs.float('min', -6), attrs.float('max', 6)] as const;
  return rounding(node, {numBits: attrs.int('num_bits', 8), narrowRange: attrs.flag('narrow_range', false), range});
};

export const fakeQuantWithMinMaxVars: Pattern = (node, known) => {
  const {attrs} = node;
  const range = givenRange(node, known);
  if (!range) return COMPUTED;
  return rounding(node, {numBits: attrs.int('num_bits', 8), narrowRange: attrs.flag('narrow_range', false), range});
};

export const fakeQuantWithMinMaxVarsPerChannel: Pattern = () => BY_CHANNEL;

/** V2, V3 and V4: on a symmetric grid, or one that begins at 0, as fine as the longer side of the range allows. */
export const quantizeAndDequantize: Pattern = (node, known) => {
  const {attrs, op, inputs} = node;
  const isV3 = op === 'QuantizeAndDequantizeV3';
  if (attrs.int('axis', -1) !== -1) return BY_CHANNEL;
  if (!attrs.flag('range_given', isV3)) return noLayer('measures its range');
  const range = givenRange(node, known);
  const numBits = isV3 ? scalarOf(known.constant(inputs[3])) : attrs.int('num_bits', 8);
  if (!range || numBits === undefined) return COMPUTED;
  const isSigned = attrs.flag('signed_input', true);
  const narrowRange = isSigned && attrs.flag('narrow_range', false);
  const highest = isSigned ? 2 ** (numBits - 1) - 1 : 2 ** numBits - 1;
  const lowest = isSigned ? -highest - (narrowRange ? 0 : 1) : 0;
  const step = Math.max(range[1] / highest, isSigned ? range[0] / lowest : 0);
  return rounding(node, {numBits, narrowRange, range: [lowest * step, highest * step]});
};
