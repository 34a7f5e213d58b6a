// The grid of each channel: [channels], or, of two free ends, [2, channels].

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ 0x7f800000u;
  let first = u32(index);
  // Of one end both are the same.
  let second = first + uniforms.second;
  if (first >= uniforms.channels) {
    return;
  }
  let ends = LearnedEnds(last[first], last[second]);
  let grid = learn(trained[first], trained[second], ends, uniforms.speed, uniforms.steps);
  if (uniforms.second > 0u) {
    result[second] = grid.low;
  }
  result[first] = grid.scale;
}
