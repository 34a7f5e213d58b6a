/** The table of layer classes: what this package knows of each class of tfjs-layers, and of its own, in one row. */
import type {Layer} from '../graph';
import {ELEMENTWISE} from './elementwise';
import type {LayerSpec} from './layer_spec';
import {PASSING} from './passing';
import {PRODUCTS} from './products';
import {RECURRENT} from './recurrent';
import {SEGMENTS} from './segments';

export const SPECS = {...PRODUCTS, ...RECURRENT, ...ELEMENTWISE, ...PASSING, ...SEGMENTS};

type Specs = typeof SPECS;

/** The classes that have a lowering. */
export type LoweredClass = {[Name in keyof Specs]: Specs[Name] extends {lowered: string} ? Name : never}[keyof Specs];

function rowOf(className: string): LayerSpec | undefined {
  return Object.hasOwn(SPECS, className) ? SPECS[className as keyof Specs] : undefined;
}

/** The row of a layer's class; undefined of a class that is not of tfjs-layers. */
export function specOf(layer: Layer): LayerSpec | undefined {
  return rowOf(layer.getClassName());
}
