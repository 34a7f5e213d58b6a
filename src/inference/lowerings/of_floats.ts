/** Layers that are computed in float, of whatever they are given. */
import {typeOf, type Value} from '../graph';
import {constantOf, ints, scalar} from '../operation_view';
import type {ValueName} from '../read_layers';
import type {LayerCall, Lowering} from './layer_call';

/** Each sample's numbers along some dimensions, with their mean and their variance taken out. */
export const layerNormalization: Lowering = (call, given) => {
  const x = call.graph.float32(given);
  const axes = [call.get('axis')].flat().map(axis => (axis < 0 ? axis + x.shape.length : axis));
  const along = (dims: readonly number[]) => dims.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const meanOf = (value: Value) =>
    call.operation('Mean', [value, ints(axes)], {shape: along(x.shape)}, {keep_dims: true});
  const centered = call.operation('Sub', [x, meanOf(x)]);
  const variance = meanOf(call.operation('Square', [centered]));
  const gain = call.operation('Rsqrt', [call.operation('AddV2', [variance, scalar('float32', call.get('epsilon'))])]);
  const parameter = (name: ValueName) => parameterOf(call, name, x.shape, axes);
  const [scale, offset] = [parameter('gamma'), parameter('beta')];
  const normalized = call.operation('Mul', [centered, gain]);
  const scaled = scale ? call.operation('Mul', [normalized, scale]) : normalized;
  return offset ? call.operation('AddV2', [scaled, offset]) : scaled;
};

/** A variable with a number for each place along some dimensions, repeated along the others. */
function parameterOf(call: LayerCall, name: ValueName, shape: readonly number[], axes: readonly number[]) {
  const values = call.numbers.values.get(name);
  return (
    values &&
    constantOf(
      'float32',
      values,
      shape.map((dim, i) => (axes.includes(i) ? dim : 1)),
    )
  );
}

/** Zeros in the place of rows that are one value throughout. */
export const masking: Lowering = (call, given) => {
  const x = call.graph.float32(given);
  const last = x.shape.length - 1;
  const differs = call.operation('NotEqual', [x, scalar('float32', call.get('maskValue'))], {type: 'bool'});
  const shape = [...x.shape.slice(0, last), 1];
  const isKept = call.operation('Max', [call.graph.float32(differs), ints([last])], {shape}, {keep_dims: true});
  return call.operation('Mul', [x, isKept]);
};

/** How often each of the numbers up to a count is there, or whether it is. */
export const categoryEncoding: Lowering = (call, given) => {
  const {graph} = call;
  const rows = given.shape.length === 1 ? graph.reshape(given, [...given.shape, 1]) : given;
  const whole = asWholeNumbers(call, rows);
  if (call.get('outputMode') === 'int') return whole;
  const [batch, length] = rows.shape as [number, number];
  const count = call.get('numTokens');
  const places = graph.reshape(whole, [batch, length, 1]);
  const numbers = ints(
    Array.from({length: count}, (_, i) => i),
    [1, 1, count],
  );
  const hits = call.operation('Equal', [places, numbers], {shape: [batch, length, count], type: 'bool'});
  const reduced = call.get('outputMode') === 'count' ? 'Sum' : 'Max';
  return call.operation(reduced, [graph.float32(hits), ints([1])], {shape: [batch, count]});
};

/** Without what is behind the point. */
function asWholeNumbers(call: LayerCall, x: Value): Value {
  const value = call.graph.float(x);
  return typeOf(value) === 'int32' ? value : call.operation('Cast', [value], {type: 'int32'});
}
