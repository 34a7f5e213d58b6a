// dy where x lies on SIDE.

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let strided = stridedLoop(u32(index));
  let grid = gridAt(strided.channel);
  for (var i = strided.first; i < strided.end; i += uniforms.step) {
    result[i] = straightThrough(Lanes(dy[i]), Lanes(x[i]), grid, SIDE);
  }
}
