/** The ends of a model, which cost most accuracy. */
import type {FlatGraph, Layer} from '../../layers/graph';

/** What of a layer is at an end of its model: what `keepEnds8bit` keeps. */
export interface End {
  readonly weights: boolean;
  readonly activations: boolean;
}

/** The layers on all ways from `tensors`, with the flow or against it, up to and with the first that multiply. */
function reached(flat: FlatGraph, tensors: readonly number[], forward: boolean, multiplies: (layer: Layer) => boolean) {
  const opsAt = (tensor: number) => (forward ? flat.consumers(tensor) : [flat.producer(tensor)]);
  const layers = new Set<Layer>();
  const seen = new Set(tensors);
  for (const tensor of seen) {
    for (const op of opsAt(tensor)) {
      if (!op) continue;
      layers.add(op.layer);
      if (!multiplies(op.layer)) (forward ? op.outputs : op.inputs).forEach(next => seen.add(next));
    }
  }
  return layers;
}

/** Which layers are the first, or the last, of a model to multiply with weights, or give what it puts out. */
export function modelEnds(flat: FlatGraph, multiplies: (layer: Layer) => boolean): ReadonlyMap<Layer, End> {
  const first = reached(flat, flat.inputs, true, multiplies);
  const last = reached(flat, flat.outputs, false, multiplies);
  const layers = flat.ops.map(({layer}) => layer);
  return new Map(
    layers.map(layer => [layer, {weights: first.has(layer) || last.has(layer), activations: last.has(layer)}]),
  );
}
