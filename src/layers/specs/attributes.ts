/** What the classes of tfjs-layers have beyond their public faces. */
import type {serialization} from '@tensorflow/tfjs-core';
import type {Layer} from '../graph';

interface Attributes {
  /** What a layer applies last; none where it is null or absent. */
  readonly activation: {getClassName(): string} | null;
  /** What a recurrent layer calls step by step. */
  readonly cell: Layer;
  readonly cells: Layer[];
  readonly depthMultiplier: number;
  readonly depthwiseConstraint: serialization.Serializable | null;
  readonly interpolation: string;
  readonly maskZero: boolean;
  readonly maxValue: number;
  /** null where both directions are outputs. */
  readonly mergeMode: string | null;
  readonly noiseShape: number[];
  readonly stateSize: number | number[];
}

/** Those of the attributes that a layer's class has. */
export function attributesOf(layer: Layer): Partial<Attributes> {
  return layer as unknown as Partial<Attributes>;
}
