/** Values for the variables of layers. */
import {type Tensor, tidy, type Variable} from '@tensorflow/tfjs-core';
import type {LayerVariable} from '@tensorflow/tfjs-layers';

/** Gives a variable what `compute` makes of its value. `LayerVariable.write` would hold it to its constraint. */
export function assign(variable: LayerVariable, compute: (value: Tensor) => Tensor): void {
  tidy(() => (variable.read() as Variable).assign(compute(variable.read())));
}
