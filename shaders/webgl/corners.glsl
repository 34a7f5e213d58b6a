// Draws what tfjs's vertex shader draws, and derives the grid that all texels share: at the corners, not in each texel.

in vec3 clipSpacePos;
in vec2 uv;
out vec2 resultUV;

void main() {
  gl_Position = vec4(clipSpacePos, 1);
  resultUV = uv;
  nothing = unknown;
#if defined(SHARED)
  Grid grid = sharedGrid();
  gridHere = vec4(grid.scale, grid.zero, grid.low, grid.high);
  inverseHere = grid.inverse;
  emptyHere = grid.empty ? 1 : 0;
#endif
}
