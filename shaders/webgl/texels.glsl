// How a tensor lies in a texture: texel t of a source stands in row t / width. A texel holds one element or, packed,
// 2x2 of the last two dimensions. Channels are counted in texels: a texel's lanes belong to one channel, or to two
// neighbours that its columns or its rows belong to.

// How an input lies as seen from the texels that the program goes through: in a texture of the same size as the output's,
// in the same places, in the same order but in other places, or one element a texel where the program has 2x2.
const int OVERLAID = 0;
const int ALIGNED = 1;
const int MOVED = 2;
const int UNPACKED = 3;

// A source is given by its texture's width and height, and the texel at which the tensor starts.

// a / b for a >= 0, b > 0, where it is below 2^20. Faster than the integer division of many devices, and exact where
// they divide in floats: it is off by one at most, which the rest shows.
int rowOf(const int a, const int b) {
  int q = int(float(a) / float(b));
  int rest = a - q * b;
  return rest < 0 ? q - 1 : rest >= b ? q + 1 : q;
}

// The same however large it is: the second step repairs what the first rounds off.
int quotient(const int a, const int b) {
  int q = int(float(a) / float(b));
  q += int(floor(float(a - q * b) / float(b)));
  int rest = a - q * b;
  return rest < 0 ? q - 1 : rest >= b ? q + 1 : q;
}

// A texture has few rows, a matrix may have many.
ivec2 placeOf(const int t, const int width) {
  int row = rowOf(t, width);
  return ivec2(t - row * width, row);
}

ivec2 cellOf(const int t, const int columns) {
  int row = quotient(t, columns);
  return ivec2(t - row * columns, row);
}

// The channel of the texel at a place. `view` has the channels, the texels of each in a run, and what a row of the texture has
// beyond whole cycles of all channels, which keeps the quotient small.
int channelOf(const ivec2 place, const ivec3 view) {
  int cycle = view.x * view.y;
  int t = place.y * view.z + place.x;
  int inCycle = t - rowOf(t, cycle) * cycle;
#if defined(INNER_ONE)
  return inCycle;
#else
  return quotient(inCycle, view.y);
#endif
}

vec4 sampleAt(sampler2D source, const vec2 uv) {
#if __VERSION__ >= 300
  return texture(source, uv);
#else
  return texture2D(source, uv);
#endif
}

vec4 texelAt(sampler2D source, const ivec2 size, const ivec2 place) {
#if __VERSION__ >= 300
  return texelFetch(source, place, 0);
#else
  return sampleAt(source, (vec2(place) + 0.5) / vec2(size));
#endif
}

vec4 texelOf(sampler2D texture0, const ivec3 source, const int t) {
  return texelAt(texture0, source.xy, placeOf(t + source.z, source.x));
}

// The 2x2 elements of packed texel t, from a texture that holds one a texel. Lanes outside of the matrix hold anything.
vec4 gather(sampler2D texture0, const ivec3 source, int t, ivec2 matrix) {
  ivec2 texels = (matrix + 1) / 2;
  ivec2 place = cellOf(t, texels.y);
  ivec2 batch = cellOf(place.y, texels.x);
  int first = (batch.y * matrix.x + 2 * batch.x) * matrix.y + 2 * place.x;
  return vec4(
    texelOf(texture0, source, first).r,
    texelOf(texture0, source, first + 1).r,
    texelOf(texture0, source, first + matrix.y).r,
    texelOf(texture0, source, first + matrix.y + 1).r
  );
}

vec4 lanesOf(int sourceLayout, sampler2D texture0, const ivec3 source, int t, ivec2 place, ivec2 matrix) {
  if (sourceLayout == ALIGNED) return texelAt(texture0, source.xy, place);
  if (sourceLayout == MOVED) return texelOf(texture0, source, t);
  return gather(texture0, source, t, matrix);
}

// The lanes that lie inside of the matrix; 0 elsewhere.
vec4 keepInside(const vec4 lanes, const bvec4 inside) {
  return vec4(lanes.r, inside.g ? lanes.g : 0.0, inside.b ? lanes.b : 0.0, inside.a ? lanes.a : 0.0);
}

// Which lanes of packed texel t lie inside of the matrix.
bvec4 insideOf(const int t, const ivec2 matrix) {
  ivec2 texels = (matrix + 1) / 2;
  ivec2 place = cellOf(t, texels.y);
  int row = place.y - quotient(place.y, texels.x) * texels.x;
  bool right = 2 * place.x + 1 < matrix.y;
  bool under = 2 * row + 1 < matrix.x;
  return bvec4(true, right, under, right && under);
}
