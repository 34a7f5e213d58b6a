/** How wide a thread's lanes are. */
import quantize from '../../shaders/webgpu/quantize.wgsl';
import type {View} from '../device';

/** How many values a thread takes at a time, and how many channels these belong to. */
export interface Width {
  readonly lanes: 1 | 4;
  readonly channels: 1 | 4;
}

/** A vec4 must not reach over the end of a run of one channel, unless channels alternate in fours. */
export function widthOf({channels, inner}: View): Width {
  if (inner % 4 === 0) return {lanes: 4, channels: 1};
  if (inner === 1 && channels % 4 === 0) return {lanes: 4, channels: 4};
  return {lanes: 1, channels: 1};
}

/** quantize.wgsl for this width. */
export function arithmetic(width: Width): string {
  return quantize.replace(/(LANE|CHANNEL)<(\w+)>/g, (_, each: string, type: string) =>
    (each === 'LANE' ? width.lanes : width.channels) === 4 ? `vec4<${type}>` : type,
  );
}
