// x on its grid.

fn main(index: i32) {
  nothing = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let walk = walkOf(u32(index));
  var grid = gridAt(walk.channel);
  if (!CLAMPED) {
    grid = unbounded(grid, uniforms.INFINITY);
  }
  for (var i = walk.first; i < walk.end; i += uniforms.step) {
    if (ROUNDING == MULTIPLY || ROUNDING == DIVIDE) {
      result[i] = project(Lanes(x[i]), grid, ROUNDING);
    } else {
      result[i] = snap(Lanes(x[i]), grid, ROUNDING);
    }
  }
}
