// The grid of a channel per fragment, for `gridAt` in grids.glsl to read.

void main() {
  vec4 bounds = boundsOf(int(gl_FragCoord.x));
  Grid grid = gridBetween(bounds.r, bounds.b);
  setOutput(vec4(grid.low, grid.high, grid.scale, grid.empty ? 0.0 : grid.inverse));
}
