/** How the reduction of each channel is shared among fragments: see shaders/webgl/strided_loop.glsl. */
import type {TexelView} from './layout';
import {type Part, partOf} from './part';

/** `chunks` loops a channel, `window` steps each, in groups of `group` that interleave. */
export interface ReductionPlan {
  readonly chunks: number;
  readonly window: number;
  readonly group: number;
  readonly channelsAdjoin: boolean;
}

/**
 * About as many loops a channel as a loop has steps, so that both passes are short; fewer where the channels alone
 * keep a device busy.
 */
export function planOf({packed, channels, inner, texels}: TexelView): ReductionPlan {
  const perChannel = texels / channels;
  const busy = Math.ceil(8192 / channels);
  const chunks = Math.max(Math.min(Math.ceil(Math.sqrt(perChannel)), busy), Math.ceil(perChannel / 65536));
  const channelsAdjoin = channels > 1 && inner < 16;
  // A step of a group reads 64 bytes in a row.
  const group = channelsAdjoin ? 1 : Math.min(chunks, packed ? 4 : 16);
  const whole = Math.ceil(chunks / group) * group;
  return {chunks: whole, window: Math.ceil(perChannel / whole), group, channelsAdjoin};
}

/** Of both passes. */
export function planPart({chunks, window, group, channelsAdjoin}: ReductionPlan): Part {
  return partOf({uniforms: {plan: ['ivec4', [chunks, window, group, channelsAdjoin ? 1 : 0]]}});
}

/** Of the first pass, over a texture of this width. */
export function loopPart({group}: ReductionPlan, {channels, inner, texels}: TexelView, width: number): Part {
  const inRun = group % inner;
  const stride = Math.floor(group / inner) * channels * inner + inRun;
  const wrapped = stride + (channels - 1) * inner;
  const placeOf = (t: number) => [t % width, Math.floor(t / width)];
  return partOf({
    uniforms: {
      ends: ['ivec2', [texels / channels, width]],
      strides: ['ivec3', [inRun, stride, wrapped]],
      stridePlaces: ['ivec4', [...placeOf(stride), ...placeOf(wrapped)]],
    },
  });
}
