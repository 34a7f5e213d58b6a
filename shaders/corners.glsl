// Draws what tfjs's vertex shader draws, and derives the grid that all texels share: at the corners, not in each texel.

in vec3 clipSpacePos;
in vec2 uv;
out vec2 resultUV;
flat out vec3 sharedSteps;
flat out vec3 sharedBounds;

void main() {
  gl_Position = vec4(clipSpacePos, 1);
  resultUV = uv;
  Grid grid = sharedGrid();
  sharedSteps = vec3(grid.scale, grid.inverse, grid.zero);
  sharedBounds = vec3(grid.low, grid.high, grid.empty ? 1.0 : 0.0);
}
