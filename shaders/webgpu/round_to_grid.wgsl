// x on its grid.

fn main(index: i32) {
  opaqueZero = bitcast<u32>(uniforms.INFINITY) ^ INFINITY_BITS;
  let strided = stridedLoop(u32(index));
  var grid = gridAt(strided.channel);
  if (!CLAMPED) {
    grid = unbounded(grid, uniforms.INFINITY);
  }
  for (var i = strided.first; i < strided.end; i += uniforms.step) {
    var v = Lanes(x[i]);
    if (RELU) {
      v = relu(v, uniforms.highest);
    }
    if (ROUNDING == MULTIPLY || ROUNDING == DIVIDE) {
      result[i] = fakeQuantize(v, grid, ROUNDING);
    } else {
      result[i] = quantizeDequantize(v, grid, ROUNDING);
    }
  }
}
