/** A call of a layer, as the lowering of its class sees it. */
import type {Layer} from '../../layers/graph';
import {type Attributes, attributesOf} from '../../layers/tfjs_internals';
import type {Value} from '../graph';
import {attrsOf, type Constant} from '../operators';
import type {GraphBuilder} from '../graph_builder';
import {type GridPair, needsInt16, type ValueGrid, valueGridOf} from '../grids';
import type {LayerNumbers, ValueName} from '../read_layers';
import type {Pair} from '../window';

/** What adds the operators of a layer to the graph, and gives its output. */
export type Lowering = (call: LayerCall, ...inputs: Value[]) => Value;

/** The same of a layer of several outputs, none of which it rounds itself. */
export type LoweringOfMany = (call: LayerCall, ...inputs: Value[]) => Promise<readonly Value[]>;

/** The layer, what it computes with and where in the graph it is called. */
export class LayerCall {
  readonly graph: GraphBuilder;
  readonly layer: Layer;
  readonly numbers: LayerNumbers;
  readonly inputs: readonly Value[];
  /** That of the output. */
  readonly shape: readonly number[];

  constructor(
    graph: GraphBuilder,
    layer: Layer,
    numbers: LayerNumbers,
    inputs: readonly Value[],
    shape: readonly number[],
  ) {
    this.graph = graph;
    this.layer = layer;
    this.numbers = numbers;
    this.inputs = inputs;
    this.shape = shape;
  }

  /** A call of a layer inside, which has the weights whose names begin so. */
  within(layer: Layer, prefix: string): LayerCall {
    const {weights, floats, values, grids} = this.numbers;
    const own = <T>(all: ReadonlyMap<string, T>) =>
      new Map(
        [...all].filter(([name]) => name.startsWith(prefix)).map(([name, each]) => [name.slice(prefix.length), each]),
      );
    const numbers = {weights: own(weights), floats: own(floats), values: own(values), grids};
    return new LayerCall(this.graph, layer, numbers, this.inputs, this.shape);
  }

  /** The same, with an output of another shape. */
  giving(shape: readonly number[]): LayerCall {
    return new LayerCall(this.graph, this.layer, this.numbers, this.inputs, shape);
  }

  /** One of TensorFlow's operations, on floats, whole numbers and booleans: floats of the first one's shape, unless told otherwise. */
  operation(
    op: string,
    operands: readonly [Value, ...(Value | Constant)[]] | readonly [Constant, ...(Value | Constant)[]],
    output: Partial<Pick<Value, 'shape' | 'type'>> = {},
    attrs: Parameters<typeof attrsOf>[0] = {},
  ): Value {
    const call = {op, name: this.layer.name, attrs: attrsOf(attrs)};
    return this.graph.operation(call, operands, [{shape: operands[0].shape, type: 'float32', ...output}])[0]!;
  }

  /** An attribute of the layer. */
  get<Name extends keyof Attributes>(name: Name): Attributes[Name] {
    return attributesOf(this.layer)[name]!;
  }

  /** The rule by which the layer pads images before it looks at them. */
  get paddingRule(): 'same' | 'valid' {
    return this.get('padding') as 'same' | 'valid';
  }

  /** An attribute of the layer with a number for rows and one for columns. */
  pair(name: 'dilationRate' | 'poolSize' | 'strides', otherwise?: number): Pair {
    return pairOf(this.get(name) ?? otherwise!);
  }

  /** A variable with as many values as there are channels, or `otherwise` for each. */
  perChannel(name: ValueName, channels: number, otherwise: number): Float64Array {
    const values = this.numbers.values.get(name);
    return values ? Float64Array.from(values) : new Float64Array(channels).fill(otherwise);
  }

  /** The grid on which the layer rounds there. */
  grid(what: string): ValueGrid | undefined {
    const grid = this.numbers.grids.get(what);
    return grid && valueGridOf(grid);
  }

  round(x: Value, what: string): Value {
    return this.graph.round(x, this.grid(what));
  }

  /** That of two grids which has enough levels for x, and for what the layer makes of it. */
  fixed(x: Value, [in8, in16]: GridPair): ValueGrid {
    const own = [...this.numbers.grids.values()].map(valueGridOf);
    return [x.grid, ...own].some(needsInt16) ? in16 : in8;
  }
}

function pairOf(value: number | readonly number[]): Pair {
  return typeof value === 'number' ? [value, value] : [value[0]!, value[1] ?? value[0]!];
}
