// How a tensor lies in a texture: texel t of a source stands in row t / width. A texel holds one element or, packed,
// 2x2 of the last two dimensions. Channels are counted in texels: a texel's lanes belong to one channel, or to two
// neighbours that its columns or its rows belong to.

// How an input lies as seen from the texels that the program goes through: in the same places, in the same order but
// in other places, or one element a texel where the program has 2x2.
const int ALIGNED = 0;
const int MOVED = 1;
const int LOOSE = 2;

struct View {
  int channels;
  int inner;
};

// A texture's width and height, and the texel at which the tensor starts.
struct Source {
  ivec2 size;
  int start;
};

// a / b for a >= 0, b > 0. Faster than the integer division of many devices, and exact where they divide in floats:
// the second step repairs what the first rounds off, the third is off by one at most.
int quotient(int a, int b) {
  int q = int(float(a) / float(b));
  q += int(floor(float(a - q * b) / float(b)));
  int rest = a - q * b;
  return rest < 0 ? q - 1 : rest >= b ? q + 1 : q;
}

ivec2 placeOf(int t, int width) {
  int row = quotient(t, width);
  return ivec2(t - row * width, row);
}

int channelOf(int t, View view) {
  int run = quotient(t, view.inner);
  return run - quotient(run, view.channels) * view.channels;
}

vec4 texelAt(sampler2D source, ivec2 size, ivec2 place) {
#if __VERSION__ >= 300
  return texelFetch(source, place, 0);
#else
  return texture2D(source, (vec2(place) + 0.5) / vec2(size));
#endif
}

vec4 texelOf(sampler2D texture0, Source source, int t) {
  return texelAt(texture0, source.size, placeOf(t + source.start, source.size.x));
}

// The 2x2 elements of packed texel t, from a texture that holds one a texel. Lanes outside of the matrix hold anything.
vec4 gather(sampler2D texture0, Source source, int t, ivec2 matrix) {
  ivec2 texels = (matrix + 1) / 2;
  ivec2 place = placeOf(t, texels.y);
  ivec2 batch = placeOf(place.y, texels.x);
  int first = (batch.y * matrix.x + 2 * batch.x) * matrix.y + 2 * place.x;
  return vec4(
    texelOf(texture0, source, first).r,
    texelOf(texture0, source, first + 1).r,
    texelOf(texture0, source, first + matrix.y).r,
    texelOf(texture0, source, first + matrix.y + 1).r
  );
}

vec4 lanesOf(int lie, sampler2D texture0, Source source, int t, ivec2 place, ivec2 matrix) {
  if (lie == ALIGNED) return texelAt(texture0, source.size, place);
  if (lie == MOVED) return texelOf(texture0, source, t);
  return gather(texture0, source, t, matrix);
}

// Which lanes of packed texel t lie inside of the matrix.
bvec4 insideOf(int t, ivec2 matrix) {
  ivec2 texels = (matrix + 1) / 2;
  ivec2 place = placeOf(t, texels.y);
  int row = place.y - quotient(place.y, texels.x) * texels.x;
  bool right = 2 * place.x + 1 < matrix.y;
  bool under = 2 * row + 1 < matrix.x;
  return bvec4(true, right, under, right && under);
}
