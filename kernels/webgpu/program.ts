/** Programs, and how they are run. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {WebGPUBackend, WebGPUProgram} from '@tensorflow/tfjs-backend-webgpu';
import {flat} from './tfjs_internals';

/** Uniforms by name: the type in WGSL and the value. */
export type Uniforms = Readonly<Record<string, readonly ['u32' | 'f32', number]>>;

/** An input of a program: how many values one element of its array has in WGSL. */
export interface Input {
  readonly name: string;
  readonly tensor: TensorInfo;
  readonly components: number;
}

/** One run of a program. */
export interface Dispatch {
  /** Names everything in `code` that varies: tfjs compares keys, not code. */
  readonly key: string;
  readonly code: () => string;
  readonly inputs: readonly Input[];
  readonly uniforms: Uniforms;
  readonly threads: number;
  readonly components: number;
  readonly shape: readonly number[];
  /** A tensor of int32 that is added to, atomically, in place of a new one. */
  readonly addsTo?: TensorInfo;
}

export const WORKGROUP_SIZE = 64;

class QuantizationProgram implements WebGPUProgram {
  readonly dispatchLayout = {x: []};
  readonly outputShape = [];
  readonly workgroupSize: [number, number, number] = [WORKGROUP_SIZE, 1, 1];
  readonly outputComponent: number;
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly uniforms: string;
  dispatch: [number, number, number];
  shaderKey: string;
  readonly getUserCode: () => string;
  readonly atomic: boolean;

  constructor({key, code, inputs, uniforms, threads, components, addsTo}: Dispatch) {
    this.shaderKey = `quantization_${key}`;
    this.getUserCode = code;
    this.atomic = addsTo !== undefined;
    this.variableNames = inputs.map(({name}) => name);
    this.variableComponents = inputs.map(input => input.components);
    this.outputComponent = components;
    this.uniforms = Object.entries(uniforms).reduce((text, [name, [type]]) => `${text}${name} : ${type}, `, '');
    this.dispatch = [Math.ceil(threads / WORKGROUP_SIZE), 1, 1];
  }
}

export function run(backend: WebGPUBackend, dispatch: Dispatch): TensorInfo {
  const output = dispatch.addsTo ?? backend.makeTensorInfo([...dispatch.shape], 'float32');
  const uniforms = Object.values(dispatch.uniforms).map(([type, value]) => ({
    type: type === 'u32' ? 'uint32' : 'float32',
    data: [value],
  }));
  const inputs = dispatch.inputs.map(({tensor}) => flat(tensor));
  backend.runWebGPUProgram(new QuantizationProgram(dispatch), inputs, output.dtype, uniforms, flat(output));
  return output;
}
