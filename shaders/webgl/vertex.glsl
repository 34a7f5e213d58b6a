// Draws what tfjs's vertex shader draws, and derives the grid that all texels share: four times, not once for each texel.

in vec3 clipSpacePos;
in vec2 uv;
out vec2 resultUV;
flat out vec4 vertexGrid;
flat out float vertexInverse;
flat out int vertexEmpty;
flat out int vertexZero;

void main() {
  gl_Position = vec4(clipSpacePos, 1);
  resultUV = uv;
  Grid grid = sharedGrid();
  vertexGrid = vec4(grid.scale, grid.zero, grid.low, grid.high);
  vertexInverse = grid.inverse;
  vertexEmpty = grid.empty ? 1 : 0;
  vertexZero = opaqueZero;
}
