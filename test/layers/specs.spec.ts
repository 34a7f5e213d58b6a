/** The table of layer classes, against the classes that tfjs-layers has and those that have a lowering. */
import * as tf from '@tensorflow/tfjs-core';
import {layers} from '@tensorflow/tfjs-layers';
import {LAYERS} from '../../src/integer/lowerings';
import {isLowered, SPECS} from '../../src/layers/specs';

/** The layer classes that tfjs-layers registers when it is imported, and has a function for: specs register others. */
function classesOfTfjs(): string[] {
  const {classNameMap} = tf.serialization.SerializationMap.getMap();
  const functions = new Set(Object.keys(layers).map(name => name.toLowerCase()));
  return Object.entries(classNameMap).flatMap(([name, [cls]]) => {
    const {prototype} = cls as unknown as {prototype: unknown};
    return prototype instanceof layers.Layer && functions.has(name.toLowerCase()) ? [name] : [];
  });
}

describe('The table of layer classes', () => {
  it('has a row for each class of tfjs-layers, and no other', () => {
    const known = classesOfTfjs();
    expect(known.length).toBeGreaterThan(60);
    expect(Object.keys(SPECS).sort()).toEqual(known.sort());
  });

  it('says of just the classes with a lowering that they have one', () => {
    const lowered = Object.keys(SPECS).filter(isLowered);
    expect(lowered.sort()).toEqual(
      Object.keys(LAYERS)
        .filter(name => name in SPECS)
        .sort() as typeof lowered,
    );
  });
});
