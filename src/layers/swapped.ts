/** Values in the places of others for one call: how a layer that knows nothing of it comes to compute with something else. */
import type {Tensor} from '@tensorflow/tfjs-core';
import type {Layer} from './graph';
import {attributesOf} from './tfjs_internals';

type Attributes = Record<string, unknown>;

/** A value for the place of a layer's own. */
export interface Swap {
  readonly host: object;
  readonly attr: string;
  readonly value: unknown;
}

/** Puts values in the place of a layer's own for one call. */
export function swapped<T>(swaps: readonly Swap[], run: () => T): T {
  const before = swaps.map(({host, attr}) => Object.getOwnPropertyDescriptor(host, attr));
  for (const {host, attr, value} of swaps) (host as Attributes)[attr] = value;
  try {
    return run();
  } finally {
    swaps.forEach(({host, attr}, i) => {
      // What was its class's is so again.
      if (before[i]) Object.defineProperty(host, attr, before[i]);
      else Reflect.deleteProperty(host, attr);
    });
  }
}

/** Has a layer's activation called by another function, apart from what comes before it. */
export function activationSwap(host: Layer, apply: (x: Tensor, activate: (x: Tensor) => Tensor) => Tensor): Swap {
  const activation = attributesOf(host).activation!;
  const value = {
    // No name that tfjs would fuse.
    getClassName: () => 'quantized',
    apply: (x: Tensor, axis?: number) => apply(x, given => activation.apply(given, axis)),
  };
  return {host, attr: 'activation', value};
}
