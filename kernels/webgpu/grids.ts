/** Where a program's grids come from. */
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {Range, Scheme} from '../device';
import type {Width} from './lanes';
import type {Input, Uniforms} from './program';

/** How the grid of a channel is had: `gridAt` in WGSL, and what that reads. */
export interface Grids {
  readonly key: string;
  readonly code: string;
  readonly inputs: readonly Input[];
  readonly uniforms: Uniforms;
}

export function gridsOf(range: Range, {fit, levels}: Scheme, {channels: components}: Width): Grids {
  const bind = (name: string, tensor: TensorInfo): Input => ({name, tensor, components});
  const code = (low: string, high: string) =>
    `fn gridAt(channel:u32)->Grid{return gridOf(${fit.toUpperCase()},Channels(${low}),Channels(${high}),` +
    'Levels(uniforms.qmin,uniforms.qmax));}';
  const key = `${range.kind}_${fit}`;
  const uniforms: Uniforms = {qmin: ['f32', levels.qmin], qmax: ['f32', levels.qmax]};
  switch (range.kind) {
    case 'numbers':
      return {
        key,
        code: code('uniforms.low', 'uniforms.high'),
        inputs: [],
        uniforms: {...uniforms, low: ['f32', range.min], high: ['f32', range.max]},
      };
    case 'tensors':
      return {
        key,
        code: code('lows[channel]', 'highs[channel]'),
        inputs: [bind('lows', range.min), bind('highs', range.max)],
        uniforms,
      };
    case 'rows':
      return {
        key,
        code: code('rows[channel]', 'rows[uniforms.channels + channel]'),
        inputs: [bind('rows', range.rows)],
        uniforms,
      };
  }
}
