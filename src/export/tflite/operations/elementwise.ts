/** Operations that compute number by number. */
import {
  commonType,
  constantOf,
  isConstant,
  type Operand,
  sameShape,
  scalar,
  typeIn,
} from '../../../inference/operation_view';
import type {ValueType} from '../../../inference/operators';
import type {OperatorName, Options} from '../schema';
import type {OperationCall, Row} from './operation_call';

/** Floats of floats. */
function ofFloats(operator: OperatorName, options?: Options): Row {
  return call => call.giveIn(operator, [call.cast(call.x, 'float32')], {type: 'float32'}, options);
}

/** Of floats, and of whole numbers by another row. */
function orOfInts(ofFloat: Row, ofInt: Row): Row {
  return call => (typeIn(call.x) === 'float32' ? ofFloat(call) : ofInt(call));
}

/** Dimensions that kernels of several inputs have loops for. */
const BROADCAST = 4;

/** The shape in which several are broadcast, in as few dimensions as tell where one is repeated. */
function fewerDimensions(shapes: readonly (readonly number[])[], all: readonly number[]): number[][] {
  const padded = shapes.map(shape => [...new Array<number>(all.length - shape.length).fill(1), ...shape]);
  const merged: number[][] = padded.map(() => []);
  let before: string | undefined;
  all.forEach((dim, axis) => {
    if (dim === 1) return;
    const pattern = padded.map(shape => shape[axis] === dim).join();
    const starts = pattern !== before;
    before = pattern;
    padded.forEach((shape, i) => {
      const own = merged[i]!;
      if (starts) own.push(shape[axis]!);
      else own[own.length - 1]! *= shape[axis]!;
    });
  });
  return merged;
}

/** Has an operator compute of several inputs, one of which may be repeated along dimensions of the others. */
function broadcast(
  call: OperationCall,
  operator: OperatorName,
  inputs: readonly Operand[],
  type: ValueType,
  most = BROADCAST,
): void {
  const isRepeated = inputs.some(({shape}) => !sameShape(shape, inputs[0]!.shape));
  if (!isRepeated || call.shape.length <= most) {
    call.giveIn(operator, inputs, {type});
    return;
  }
  const shapes = fewerDimensions(
    inputs.map(({shape}) => shape),
    call.shape,
  );
  const given = inputs.map((x, i) => call.reshaped(x, shapes[i]!));
  call.atMost(most, ...given);
  const shape = shapes[0]!.map((_, axis) => Math.max(...shapes.map(each => each[axis]!)));
  call.giveIn(operator, given, {shape, type});
}

/** A number of two, in the type that both have in common. */
function arithmetic(operator: OperatorName): Row {
  return call => {
    const [one, other] = [call.operand(0), call.operand(1)];
    const common = commonType([one, other]);
    const type = common === 'bool' ? 'int32' : common;
    broadcast(call, operator, [call.cast(one, type), call.cast(other, type)], type);
  };
}

const divide: Row = call => {
  const type = commonType([call.operand(0), call.operand(1)]);
  // As tfjs does.
  arithmetic(type === 'float32' ? 'DIV' : 'FLOOR_DIV')(call);
};

const divideNoNan: Row = call => {
  const [one, other] = [call.cast(call.operand(0), 'float32'), call.cast(call.operand(1), 'float32')];
  const [zero, {shape}] = [scalar('float32', 0), call];
  call.atMost(BROADCAST, call.output);
  const quotient = call.make('DIV', [one, other], {shape, type: 'float32'});
  const isZero = call.make('EQUAL', [other, zero], {shape: other.shape, type: 'bool'});
  broadcast(call, 'SELECT_V2', [isZero, zero, quotient], 'float32');
};

/** A boolean of two numbers; `ofBooleans`: whether kernels compare booleans as well. */
function comparison(operator: OperatorName, ofBooleans = false): Row {
  return call => {
    const both = [call.operand(0), call.operand(1)];
    const common = commonType(both);
    const type = common === 'bool' && !ofBooleans ? 'int32' : common;
    broadcast(
      call,
      operator,
      both.map(each => call.cast(each, type)),
      'bool',
    );
  };
}

function logical(operator: OperatorName): Row {
  return call => {
    const given = call.operands.map(each => call.cast(each, 'bool'));
    broadcast(call, operator, given, 'bool');
  };
}

const addAll: Row = call => {
  const [first, ...others] = call.operands.map(each => call.cast(each, call.type));
  if (others.length === 0) {
    call.giveAs(first!);
    return;
  }
  const {shape, type} = call;
  const last = others.pop()!;
  const sum = others.reduce((total, each) => call.make('ADD', [total, each], {shape, type}), first!);
  call.give('ADD', [sum, last]);
};

const clipByValue: Row = call => {
  const given = call.operands.map(each => call.cast(each, call.type));
  const [x, low, high] = given as [Operand, Operand, Operand];
  const below = call.make('MINIMUM', [x, high], call.output as {shape: readonly number[]; type: ValueType});
  broadcast(call, 'MAXIMUM', [below, low], call.type);
};

/** A choice, by booleans that are repeated along the other dimensions. */
const select: Row = call => {
  const [condition, ...values] = call.operands as [Operand, ...Operand[]];
  const chosen = values.map(each => call.cast(each, call.type));
  // The older operation has one boolean for each row.
  const {length} = call.shape;
  const isRows = call.op === 'Select' && condition.shape.length === 1 && length > 1;
  const rows = isRows ? [condition.shape[0]!, ...new Array<number>(length - 1).fill(1)] : condition.shape;
  const by = call.cast(call.reshaped(condition, rows), 'bool');
  broadcast(call, 'SELECT_V2', [by, ...chosen], call.type);
};

const reciprocal: Row = call =>
  call.giveIn('DIV', [scalar('float32', 1), call.cast(call.x, 'float32')], {type: 'float32'});

const isNan: Row = call => call.give('NOT_EQUAL', [call.x, call.x]);

const cast: Row = call => {
  if (typeIn(call.x) === call.type) call.giveAs(call.x);
  else call.giveAs(isConstant(call.x) ? call.cast(call.x, call.type) : call.x);
};

/** The scale of negative numbers, as an attribute. */
function leakyRelu(call: OperationCall, name: string): Options {
  return {alpha: call.attrs.float(name, 0.2)};
}

const squareOfInts: Row = call => {
  const x = call.cast(call.x, 'int32');
  call.giveIn('MUL', [x, x], {type: 'int32'});
};

const ofWhole =
  (operator: OperatorName): Row =>
  call =>
    call.giveIn(operator, [call.cast(call.x, 'int32')], {type: 'int32'});

const reluOfInts: Row = call =>
  call.giveIn('MAXIMUM', [call.cast(call.x, 'int32'), constantOf('int32', [0], [])], {type: 'int32'});

const FLOAT = {type: 'float32'} as const;

/** log(1 + exp(x)), without the exponential of large numbers. */
const softplus: Row = call => {
  const x = call.cast(call.x, 'float32');
  const output = {shape: x.shape, ...FLOAT};
  const below = call.make('NEG', [call.make('ABS', [x], output)], output);
  const sum = call.make('ADD', [call.make('EXP', [below], output), scalar('float32', 1)], output);
  call.give('ADD', [call.make('RELU', [x], output), call.make('LOG', [sum], output)]);
};

/** x / (1 + |x|) */
const softsign: Row = call => {
  const x = call.cast(call.x, 'float32');
  const output = {shape: x.shape, ...FLOAT};
  const sum = call.make('ADD', [call.make('ABS', [x], output), scalar('float32', 1)], output);
  call.give('DIV', [x, sum]);
};

const SELU = {scale: 1.0507009873554805, alpha: 1.6732632423543772};

/** scale * x above 0, scale * alpha * (exp(x) - 1) below. */
const selu: Row = call => {
  const x = call.cast(call.x, 'float32');
  const output = {shape: x.shape, ...FLOAT};
  const of = (operator: OperatorName, one: Operand, other: number) =>
    call.make(operator, [one, scalar('float32', other)], output);
  const above = of('MUL', call.make('RELU', [x], output), SELU.scale);
  const below = of('SUB', call.make('EXP', [of('MINIMUM', x, 0)], output), 1);
  call.give('ADD', [above, of('MUL', below, SELU.scale * SELU.alpha)]);
};

/** As long as it moves nothing, number by number along the last dimension. */
function alongLast(operator: OperatorName, options: Options = {}): Row {
  return call => {
    const x = call.cast(call.x, 'float32');
    const {length} = x.shape;
    if (length > 0 && length <= 4) {
      call.giveIn(operator, [x], {type: 'float32'}, options);
      return;
    }
    const last = x.shape[length - 1] ?? 1;
    const shape = [x.shape.reduce((product, dim) => product * dim, 1) / last, last];
    call.giveIn(operator, [call.reshaped(x, shape)], {shape, type: 'float32'}, options);
  };
}

export const ELEMENTWISE: Readonly<Record<string, Row>> = {
  Abs: orOfInts(ofFloats('ABS'), call => {
    const x = call.cast(call.x, 'int32');
    const minus = call.make('NEG', [x], {shape: x.shape, type: 'int32'});
    call.giveIn('MAXIMUM', [x, minus], {type: 'int32'});
  }),
  Add: arithmetic('ADD'),
  AddN: addAll,
  AddV2: arithmetic('ADD'),
  BiasAdd: arithmetic('ADD'),
  Cast: cast,
  Ceil: ofFloats('CEIL'),
  ClipByValue: clipByValue,
  Cos: ofFloats('COS'),
  Div: divide,
  DivNoNan: divideNoNan,
  Elu: ofFloats('ELU'),
  Equal: comparison('EQUAL', true),
  Exp: ofFloats('EXP'),
  Floor: ofFloats('FLOOR'),
  FloorDiv: arithmetic('FLOOR_DIV'),
  FloorMod: arithmetic('FLOOR_MOD'),
  Greater: comparison('GREATER'),
  GreaterEqual: comparison('GREATER_EQUAL'),
  Inv: reciprocal,
  IsNan: isNan,
  LeakyRelu: call => ofFloats('LEAKY_RELU', leakyRelu(call, 'alpha'))(call),
  Less: comparison('LESS'),
  LessEqual: comparison('LESS_EQUAL'),
  Log: ofFloats('LOG'),
  LogSoftmax: alongLast('LOG_SOFTMAX'),
  LogicalAnd: logical('LOGICAL_AND'),
  LogicalNot: logical('LOGICAL_NOT'),
  LogicalOr: logical('LOGICAL_OR'),
  LogicalXor: logical('NOT_EQUAL'),
  Maximum: arithmetic('MAXIMUM'),
  Minimum: arithmetic('MINIMUM'),
  Mod: arithmetic('FLOOR_MOD'),
  Mul: arithmetic('MUL'),
  Neg: orOfInts(ofFloats('NEG'), ofWhole('NEG')),
  NotEqual: comparison('NOT_EQUAL', true),
  Pow: arithmetic('POW'),
  Prelu: call => call.give('PRELU', [call.x, call.operand(1)]),
  RealDiv: divide,
  Reciprocal: reciprocal,
  Relu: orOfInts(ofFloats('RELU'), reluOfInts),
  Relu6: ofFloats('RELU6'),
  Round: ofFloats('ROUND'),
  Rsqrt: ofFloats('RSQRT'),
  Select: select,
  SelectV2: select,
  Selu: selu,
  Sigmoid: ofFloats('LOGISTIC'),
  Sign: ofFloats('SIGN'),
  Sin: ofFloats('SIN'),
  Softmax: alongLast('SOFTMAX', {beta: 1}),
  Softplus: softplus,
  Softsign: softsign,
  Sqrt: ofFloats('SQRT'),
  Square: orOfInts(ofFloats('SQUARE'), squareOfInts),
  SquaredDifference: arithmetic('SQUARED_DIFFERENCE'),
  Sub: arithmetic('SUB'),
  Tanh: ofFloats('TANH'),
};
