/** Building that leaves nothing behind where it fails. */
import {engine} from '@tensorflow/tfjs-core';

/**
 * Runs `make`. If it throws, everything on the device that it made is freed, variables and what is kept from a tidy too: of
 * a layer whose own code throws halfway nobody else knows what it holds.
 */
export function allOrNothing<T>(make: () => T): T {
  const {state} = engine();
  const before = new Set(Object.values(state.registeredVariables));
  engine().startScope('allOrNothing');
  const {track} = state.activeScope;
  try {
    const made = make();
    engine().endScope(track);
    return made;
  } catch (error) {
    for (const tensor of track) if (!tensor.isDisposed) tensor.dispose();
    engine().endScope();
    const variables = Object.values(state.registeredVariables).filter(each => !before.has(each));
    for (const each of variables) each.dispose();
    throw error;
  }
}
