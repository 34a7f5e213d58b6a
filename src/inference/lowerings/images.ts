/** Images whose channels come before their rows and columns: computed with the channels last. */
import {inverseOf} from '../graph_builder';
import type {Lowering} from './layer_call';

/** The order that puts the channels last, of as many dimensions. */
export function toLast(rank: number): number[] {
  return [0, ...Array.from({length: rank - 2}, (_, i) => i + 2), 1];
}

/** Has a layer of batches refused that is given a single image, which tfjs lets some be. */
export function ofBatches(lowering: Lowering): Lowering {
  return (call, x) => {
    if (x.shape.length === 4) return lowering(call, x);
    const {name} = call.layer;
    const problem = `layer ${name}: it is given an image alone, and a file has batches of them. Give it an inputShape, without a batch.`;
    call.graph.problems.push({layer: name, problem});
    return x;
  };
}

/** Has a layer of images computed with their channels last, whichever way it is given them. */
export function ofImages(lowering: Lowering): Lowering {
  return (call, x) => {
    if (call.get('dataFormat') !== 'channelsFirst') return lowering(call, x);
    const {graph, shape} = call;
    const order = toLast(x.shape.length);
    const image = graph.transpose(x, order);
    // What has no rows and columns any more has its channels in one way only.
    if (shape.length !== order.length) return lowering(call, image);
    const y = lowering(call.giving(order.map(axis => shape[axis]!)), image);
    return graph.transpose(y, inverseOf(order));
  };
}
