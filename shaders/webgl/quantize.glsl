// The GLSL twin of kernels/grid.ts: the same functions under the same names, in the same order. All of it is float32
// already, so what is fround there is nothing here. NaN must survive: comparisons keep it, min, max and clamp may not.
// Software renderers copy parameters that are not const, and branch at a call within ?: or &&.

struct Levels {
  float qmin;
  float qmax;
};

struct Grid {
  float scale;
  float inverse;
  float zero;
  float low;
  float high;
  bool empty;
  // GLSL ES has no infinite number for the bounds of an unbounded grid.
  bool bounded;
};

// Fit
const int NUDGE = 0;
const int ADJUST = 1;
const int RAW = 2;
const int SCALED = 3;
const int ANCHORED = 4;

// Rounding
const int MULTIPLY = 0;
const int DIVIDE = 1;
const int EVEN = 2;
const int UP = 3;

// Side
const int INSIDE = 0;
const int BELOW = 1;
const int ABOVE = 2;
const int OUTSIDE = 3;
const int SCALE = 4;
const int NONE = 5;

const float SMALLEST_NORMAL = 1.1754943508222875e-38;
const float LARGEST_FLOAT = 3.4028234663852886e38;

// By its bits where GLSL has them: compilers may take comparisons of floats to never see NaN.
bool isNaN(const float x) {
#if __VERSION__ >= 300
  return (floatBitsToInt(x) & 0x7fffffff) > 0x7f800000;
#else
  return !(x <= 0.0 || x > 0.0);
#endif
}

// `magnitude` with the sign of x, also if that is a zero's: compilers take x * 0.0 for 0.0, and no care of signs in floor.
float withSignOf(const float x, const float magnitude) {
#if __VERSION__ >= 300
  return intBitsToFloat((floatBitsToInt(magnitude) & 0x7fffffff) | (floatBitsToInt(x) & ~0x7fffffff));
#else
  return magnitude;
#endif
}

float flush(const float x) {
#if __VERSION__ >= 300
  float zero = withSignOf(x, 0.0);
  return abs(x) < SMALLEST_NORMAL ? zero : x;
#else
  return x * (abs(x) < SMALLEST_NORMAL ? 0.0 : 1.0);
#endif
}

// The uniform opaqueZero is 0, as no compiler knows. As an input from the vertex shader it costs a texel a little less.
#if defined(VERTEX_GRID) && !defined(IN_VERTEX)
flat in int vertexZero;
#define opaqueZero vertexZero
#endif

// v, rounded before it goes on: compilers may fuse a product with a sum, or take a sum in another order.
float rounded(const float v) {
#if __VERSION__ >= 300
  return intBitsToFloat(floatBitsToInt(v) ^ opaqueZero);
#else
  return v;
#endif
}

float roundHalfAway(const float z) {
  float whole = floor(z);
  return z - whole >= 0.5 ? whole + 1.0 : whole;
}

float roundHalfEven(const float v) {
  float whole = floor(v);
  float rest = v - whole;
  bool even = whole == 2.0 * floor(0.5 * whole);
  float above = ceil(v);
  return withSignOf(v, rest < 0.5 || (rest == 0.5 && even) ? whole : above);
}

Grid nudge(const float low, const float high, const Levels levels) {
  float lowest = flush(low);
  float highest = flush(high);
  float qmin = levels.qmin;
  float qmax = levels.qmax;
  float extent = flush(highest - lowest);
  float scale = flush(extent / (qmax - qmin));
  float stepsPerUnit = flush((qmax - qmin) / extent);
  float z = qmin - lowest / scale;
  float nearest = roundHalfAway(z);
  float zeroPoint = z < qmin ? qmin : z > qmax ? qmax : z >= qmin ? nearest : 0.0;
  float nudgedLow = rounded((qmin - zeroPoint) * scale);
  float nudgedHigh = rounded((qmax - zeroPoint) * scale);
  float zero = floor(rounded(-nudgedLow * stepsPerUnit) + 0.5);
  return Grid(scale, stepsPerUnit, zero, nudgedLow, nudgedHigh, lowest == 0.0 && highest == 0.0, true);
}

Grid adjust(const float low, const float high, const Levels levels) {
  float lowest = flush(low);
  float highest = flush(high);
  float qmin = levels.qmin;
  float qmax = levels.qmax;
  float fromLow = qmin * lowest > 0.0 ? qmin / lowest : LARGEST_FLOAT;
  float fromHigh = qmax * highest > 0.0 ? qmax / highest : LARGEST_FLOAT;
  if (fromLow < fromHigh) {
    float scale = flush(lowest / qmin);
    return Grid(scale, fromLow, 0.0, lowest, flush(qmax * scale), false, true);
  }
  float scale = flush(highest / qmax);
  return Grid(scale, fromHigh, 0.0, flush(qmin * scale), highest, false, true);
}

Grid raw(const float low, const float high) {
  return Grid(1.0, 1.0, 0.0, flush(low), flush(high), false, true);
}

Grid scaled(const float given, const Levels levels) {
  float stepSize = flush(given);
  float scale = stepSize > 0.0 && stepSize <= LARGEST_FLOAT ? stepSize : 0.0;
  float stepsPerUnit = flush(1.0 / scale);
  return Grid(scale, stepsPerUnit, 0.0, rounded(levels.qmin * scale), rounded(levels.qmax * scale), false, true);
}

Grid anchored(const float scale, const float offset, const Levels levels) {
  float extent = levels.qmax - levels.qmin;
  float zero = rounded(flush(offset) * scaled(scale, levels).inverse);
  float nearest = floor(zero + 0.5);
  float lowest = nearest < -extent ? -extent : nearest < 0.0 ? nearest : 0.0;
  bool unordered = isNaN(zero);
  Grid grid = scaled(unordered ? 0.0 : scale, Levels(lowest, lowest + extent));
  grid.zero = zero;
  return grid;
}

Grid unbounded(const Grid grid) {
  return Grid(grid.scale, grid.inverse, grid.zero, grid.low, grid.high, grid.empty, false);
}

Grid gridOf(const int fit, const float low, const float high, const Levels levels) {
  if (fit == NUDGE) return nudge(low, high, levels);
  if (fit == ADJUST) return adjust(low, high, levels);
  if (fit == SCALED) return scaled(low, levels);
  if (fit == ANCHORED) return anchored(low, high, levels);
  return raw(low, high);
}

// `clamp` in grid.ts, a name that GLSL has taken. What replaces x is not what x is compared with, as compilers see it:
// they would take the two for min and max, which mix up zeros of different sign.
float clampTo(const float x, const Grid grid) {
  bool unordered = isNaN(x);
  float high = rounded(grid.high);
  float low = rounded(grid.low);
  float c = x > grid.high && grid.bounded ? high : x;
  return unordered ? x : c < grid.low && grid.bounded ? low : c;
}

float relu(const float x, const float highest) {
  bool unordered = isNaN(x);
  float c = x > highest ? highest : x;
  return unordered ? x : c > 0.0 ? c : 0.0;
}

// The sign of a zero is lost here anyway, and NaN comes back at the end: so min and max will do.
float fakeQuantize(const float x, const Grid grid, const int rounding) {
  bool unordered = isNaN(x);
  float s = max(min(x, grid.high), grid.low) - grid.low;
  float steps = rounding == DIVIDE ? s / grid.scale : rounded(s * grid.inverse);
  float y = floor(rounded(steps - grid.zero) + 0.5) * grid.scale;
  return grid.empty ? 0.0 : unordered ? x : y;
}

float quantizeDequantize(const float x, const Grid grid, const int rounding) {
  float steps = rounded(clampTo(flush(x), grid) * grid.inverse);
  float even = roundHalfEven(steps);
  return (rounding == EVEN ? even : floor(steps + 0.5)) * grid.scale;
}

bool isOn(const int side, const float x, const Grid grid) {
  if (side == INSIDE) return x >= grid.low && x <= grid.high;
  if (side == OUTSIDE) return x < grid.low || x > grid.high;
  return side == BELOW ? x < grid.low : x > grid.high;
}

float slope(const float x, const Grid grid) {
  bool inside = isOn(INSIDE, x, grid);
  float steps = rounded(clampTo(x, grid) * grid.inverse);
  return roundHalfEven(steps) - (inside ? steps : grid.zero);
}

float straightThrough(const float dy, const float x, const Grid grid, const int side) {
  float v = flush(x);
  if (side == SCALE) return dy * rounded(slope(v, grid));
  bool on = isOn(side, v, grid);
  float masked = dy * (on ? 1.0 : 0.0);
  return grid.empty ? (side == INSIDE ? dy : 0.0) : masked;
}
