/** Operations that compute number by number, in whichever form their inputs are. */
import type {ValueType} from '../../../inference/operators';
import type {Attributes} from '../model_proto';
import type {OperationCall, Row} from './operation_call';

/** Steps from the tensors of operands, in one type, to that of the output. */
type Steps = (call: OperationCall, inputs: readonly string[], type: ValueType) => string;

function each(
  count: number,
  steps: Steps,
  typeFor: (call: OperationCall) => ValueType,
  gives: (type: ValueType) => ValueType = type => type,
): Row {
  return call => {
    const indices = Array.from({length: count}, (_, i) => i);
    const form = call.commonForm(indices);
    const type = typeFor(call);
    const rank = Math.max(...indices.map(i => call.operand(i).shape.length));
    const inputs = indices.map(i => call.broadcast(i, type, form, rank));
    return {name: steps(call, inputs, type), type: gives(type), form};
  };
}

const inFloat = (): ValueType => 'float32';

/** Floats of floats, by an operator. */
const ofFloats = (op: string, attributes?: (call: OperationCall) => Attributes): Row =>
  each(1, (call, inputs) => call.add(op, inputs, attributes?.(call)), inFloat);

/** Floats of floats, by several operators. */
const bySteps = (steps: (call: OperationCall, x: string) => string): Row =>
  each(1, (call, [x]) => steps(call, x!), inFloat);

/** Of booleans as of whole numbers. */
const ownNumbers = (call: OperationCall): ValueType => (call.typeOf(0) === 'float32' ? 'float32' : 'int32');

const ofNumbers = (op: string): Row => each(1, (call, inputs) => call.add(op, inputs), ownNumbers);

function numbers(call: OperationCall): ValueType {
  const type = call.commonType(0, 1);
  return type === 'bool' ? 'int32' : type;
}

const arithmetic = (steps: Steps): Row => each(2, steps, numbers);
const binary = (op: string): Row => arithmetic((call, inputs) => call.add(op, inputs));

/** The whole number below a quotient; the operator itself drops what is behind the point. */
const floorDiv: Steps = (call, [x, y], type) => {
  if (type === 'float32') return call.add('Floor', [call.add('Div', [x!, y!])]);
  const rest = call.add('Mod', [x!, y!]);
  return call.add('Div', [call.add('Sub', [x!, rest]), y!]);
};

const floorMod: Steps = (call, [x, y], type) => {
  if (type !== 'float32') return call.add('Mod', [x!, y!]);
  return call.add('Sub', [x!, call.add('Mul', [y!, floorDiv(call, [x!, y!], type)])]);
};

/** As tfjs does: of whole numbers the one below. */
const divide = arithmetic((call, inputs, type) =>
  type === 'float32' ? call.add('Div', inputs) : floorDiv(call, inputs, type),
);

const divideNoNan = each(
  2,
  (call, [x, y]) => {
    const zero = call.list.float(0);
    return call.add('Where', [call.add('Equal', [y!, zero]), zero, call.add('Div', [x!, y!])]);
  },
  inFloat,
);

const squaredDifference = arithmetic((call, inputs) => {
  const difference = call.add('Sub', inputs);
  return call.add('Mul', [difference, difference]);
});

const inBool = (): ValueType => 'bool';

function comparison(op: string, steps: Steps = (call, inputs) => call.add(op, inputs)): Row {
  return each(2, steps, numbers, inBool);
}

const not = (call: OperationCall, x: string) => call.add('Not', [x]);

const logical = (op: string, count = 2): Row => each(count, (call, inputs) => call.add(op, inputs), inBool);

const ofAll = (op: string): Row => {
  return call =>
    each(
      call.operands.length,
      (_, inputs) => call.add(op, inputs),
      () => call.type,
    )(call);
};

const ofOutput = (call: OperationCall): ValueType => call.type;

const clipByValue = each(3, (call, [x, low, high]) => call.add('Max', [call.add('Min', [x!, high!]), low!]), ofOutput);

/** A choice, by booleans that are repeated along the other dimensions. */
const select: Row = call => {
  const condition = call.operand(0);
  const {length} = call.shape;
  const isRows = call.op === 'Select' && condition.shape.length === 1 && length > 1;
  const by = call.take(0, 'bool');
  const shape = call.list.ints([-1, ...new Array<number>(length - 1).fill(1)]);
  const rows = isRows ? call.add('Reshape', [by, shape]) : by;
  return {name: call.add('Where', [rows, call.take(1, call.type), call.take(2, call.type)]), type: call.type};
};

const cast: Row = call => {
  const form = call.commonForm([0]);
  return {name: call.take(0, call.type, form), form};
};

const softmax = (op: string): Row => {
  return call => {
    const form = call.commonForm([0]);
    const last = Math.max(call.shape.length - 1, 0);
    return {
      name: call.add(op, [call.take(0, 'float32', form)], {axis: call.axisIn(form, last)}),
      type: 'float32',
      form,
    };
  };
};

const prelu: Row = each(2, (call, inputs) => call.add('PRelu', inputs), inFloat);

const alpha = (name: string) => (call: OperationCall) => ({alpha: {float: call.attrs.float(name, 0.2)}});

const erf = (call: OperationCall, x: string) => call.add('Erf', [x]);

export const ELEMENTWISE: Readonly<Record<string, Row>> = {
  Abs: ofNumbers('Abs'),
  Add: binary('Add'),
  AddN: ofAll('Sum'),
  AddV2: binary('Add'),
  BiasAdd: binary('Add'),
  Cast: cast,
  Ceil: ofFloats('Ceil'),
  ClipByValue: clipByValue,
  Cos: ofFloats('Cos'),
  Div: divide,
  DivNoNan: divideNoNan,
  Elu: ofFloats('Elu'),
  Equal: comparison('Equal'),
  Erf: bySteps(erf),
  Exp: ofFloats('Exp'),
  Floor: ofFloats('Floor'),
  FloorDiv: arithmetic(floorDiv),
  FloorMod: arithmetic(floorMod),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Inv: ofFloats('Reciprocal'),
  IsNan: each(1, (call, inputs) => call.add('IsNaN', inputs), inFloat, inBool),
  LeakyRelu: ofFloats('LeakyRelu', alpha('alpha')),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  Log: ofFloats('Log'),
  LogSoftmax: softmax('LogSoftmax'),
  LogicalAnd: logical('And'),
  LogicalNot: logical('Not', 1),
  LogicalOr: logical('Or'),
  LogicalXor: logical('Xor'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Mod: arithmetic(floorMod),
  Mul: binary('Mul'),
  Neg: ofNumbers('Neg'),
  NotEqual: comparison('Equal', (call, inputs) => not(call, call.add('Equal', inputs))),
  Pow: binary('Pow'),
  Prelu: prelu,
  RealDiv: divide,
  Reciprocal: ofFloats('Reciprocal'),
  Relu: each(1, (call, [x], type) => relu(call, x!, type), ownNumbers),
  Relu6: bySteps((call, x) => call.add('Clip', [x, call.list.float(0), call.list.float(6)])),
  Round: ofFloats('Round'),
  Rsqrt: bySteps((call, x) => call.add('Reciprocal', [call.add('Sqrt', [x])])),
  Select: select,
  SelectV2: select,
  Selu: ofFloats('Selu'),
  Sigmoid: ofFloats('Sigmoid'),
  Sign: ofFloats('Sign'),
  Sin: ofFloats('Sin'),
  Softmax: softmax('Softmax'),
  Softplus: ofFloats('Softplus'),
  Softsign: ofFloats('Softsign'),
  Sqrt: ofFloats('Sqrt'),
  Square: each(1, (call, [x]) => call.add('Mul', [x!, x!]), ownNumbers),
  SquaredDifference: squaredDifference,
  Sub: binary('Sub'),
  Tanh: ofFloats('Tanh'),
};

function relu(call: OperationCall, x: string, type: ValueType): string {
  if (type === 'float32') return call.add('Relu', [x]);
  return call.add('Max', [x, call.list.constant('int32', Int32Array.of(0), [])]);
}
