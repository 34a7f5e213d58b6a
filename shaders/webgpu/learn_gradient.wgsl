// The gradient of what is trained, laid out as the grid is.

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ 0x7f800000u;
  let first = u32(index);
  let second = first + uniforms.second;
  if (first >= uniforms.channels) {
    return;
  }
  let gradient = LearnedEnds(dy[first], dy[second]);
  let trained = learnGradient(gradient, LearnedEnds(grid[first], grid[second]), uniforms.steps);
  if (uniforms.second > 0u) {
    result[second] = trained.y;
  }
  result[first] = trained.x;
}
