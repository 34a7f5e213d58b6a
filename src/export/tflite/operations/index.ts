/** The table of TensorFlow's operations that files have operators for: how each is written. */
import type {InferenceGraph, Node} from '../../../inference/graph';
import {isConstant, isEmpty, Refusal} from '../../../inference/operation_view';
import {ELEMENTWISE} from './elementwise';
import {MOVING} from './moving';
import {OperationCall, type Row, type Step} from './operation_call';
import {PRODUCTS} from './products';

const ROWS: Readonly<Record<string, Row>> = {...ELEMENTWISE, ...MOVING, ...PRODUCTS};

/** Whether there is a row for an operation. */
export function hasOperation(op: string): boolean {
  return Object.hasOwn(ROWS, op);
}

/** The operators that compute an operation. */
export function stepsOf(node: Node<'operation'>): readonly Step[] {
  const call = new OperationCall(node);
  const values = call.operands.filter(each => !isConstant(each));
  if ([...values, ...call.outputs].some(isEmpty)) call.refuse('it takes or gives values of no numbers');
  ROWS[call.op]!(call);
  return call.steps;
}

/** Why operations cannot be written as they are, by layer. */
export function refusedOperations({nodes}: InferenceGraph): {readonly layer: string; readonly problem: string}[] {
  return nodes.flatMap(node => {
    if (node.operator !== 'operation') return [];
    try {
      stepsOf(node);
      return [];
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const {name, op} = node.attributes;
      return [{layer: node.layer, problem: `layer ${node.layer}: its node ${name} (${op}): ${error.message}.`}];
    }
  });
}
