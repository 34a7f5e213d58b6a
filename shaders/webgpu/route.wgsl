// dy where x lies on SIDE.

fn main(index: i32) {
  nothing = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let walk = walkOf(u32(index));
  let grid = gridAt(walk.channel);
  for (var i = walk.first; i < walk.end; i += uniforms.step) {
    result[i] = route(Lanes(dy[i]), Lanes(x[i]), grid, SIDE);
  }
}
