/** The table of TensorFlow's operations that files have operators for: how each is written. */
import {ELEMENTWISE} from './elementwise';
import {MOVING} from './moving';
import type {Made, OperationCall, Row} from './operation_call';
import {isConstant, isEmpty} from '../../../inference/operation_view';
import {PRODUCTS} from './products';

const ROWS: Readonly<Record<string, Row>> = {...ELEMENTWISE, ...MOVING, ...PRODUCTS};

/** Whether there is a row for an operation. */
export function hasOperation(op: string): boolean {
  return Object.hasOwn(ROWS, op);
}

/** What an operation gives, for each of its outputs. */
export function madeBy(call: OperationCall): readonly Made[] {
  const values = call.operands.filter(each => !isConstant(each));
  if ([...values, ...call.outputs].some(isEmpty)) call.refuse('it takes or gives values of no numbers');
  const made = ROWS[call.op]!(call);
  return 'name' in made ? [made] : made;
}
