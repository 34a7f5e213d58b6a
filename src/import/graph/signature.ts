/** What a converted graph takes and gives, by the names that tf.loadGraphModel has for it. */
import type {io} from '@tensorflow/tfjs-core';
import {isRecord} from '../../check/rules';
import {shapeOf} from '../../graph_model/attrs';
import type {Shape} from './graph_reader';

interface End {
  /** As tf.loadGraphModel calls it, ':0' at the end left out. */
  readonly name: string;
  /** The node, and which of its outputs. */
  readonly reference: string;
  readonly shape: Shape | undefined;
}

/** Undefined where the file does not say: then all places for inputs, and whatever nothing takes. */
export interface Signature {
  readonly inputs: readonly End[] | undefined;
  readonly outputs: readonly End[] | undefined;
}

export function withoutZero(name: string): string {
  return name.replace(/:0$/, '');
}

function endsOf(entries: unknown): End[] | undefined {
  if (!isRecord(entries)) return undefined;
  // Of several keys of one tensor, tfjs keeps the last.
  const byReference = new Map<string, End>();
  for (const [key, entry] of Object.entries(entries)) {
    if (!isRecord(entry) || typeof entry['name'] !== 'string') continue;
    const {name: reference, tensorShape} = entry as {name: string; tensorShape?: unknown};
    byReference.set(reference, {name: withoutZero(key), reference, shape: shapeOf(tensorShape)});
  }
  return byReference.size > 0 ? [...byReference.values()] : undefined;
}

/** tfjs-converter's executor/graph_model.js: loadWithWeightMap; operations/operation_mapper.js: transformGraph */
export function signatureOf({signature, userDefinedMetadata}: io.ModelArtifacts): Signature {
  const own: unknown = userDefinedMetadata?.['signature'] ?? signature;
  return isRecord(own)
    ? {inputs: endsOf(own['inputs']), outputs: endsOf(own['outputs'])}
    : {inputs: undefined, outputs: undefined};
}
