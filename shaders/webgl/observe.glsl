// A moving range: kernels/observe.ts function for function; the reasons stand there.

// Observer
const int MOVING_AVERAGE = 0;
const int LAST_VALUE = 1;
const int ALL_VALUES = 2;

struct MovingRange {
  float low;
  float high;
  float weight;
};

struct ObserveRule {
  int observer;
  float rate;
  bool debias;
  float ratio;
};

float approach(float start, float goal, float rate) {
  return start - rounded((start - goal) * rate);
}

MovingRange observe(MovingRange range, float low, float high, ObserveRule rule) {
  if (!(low <= high && abs(low) <= LARGEST_FLOAT && abs(high) <= LARGEST_FLOAT)) return range;
  float batchLow = min(low, rule.ratio == 0.0 ? 0.0 : rounded(high / rule.ratio));
  float lowest = rule.observer == ALL_VALUES ? batchLow : low;
  float batchHigh = max(high, rule.ratio == 0.0 ? 0.0 : lowest * rule.ratio);
  float weight = range.weight + rounded((1.0 - range.weight) * rule.rate);
  if (rule.observer == LAST_VALUE) return MovingRange(batchLow, batchHigh, weight);
  if (rule.observer == ALL_VALUES) return MovingRange(min(range.low, batchLow), max(range.high, batchHigh), weight);
  float step = rule.debias ? rule.rate / weight : rule.rate;
  return MovingRange(approach(range.low, batchLow, step), approach(range.high, batchHigh, step), weight);
}

// The extremes of a channel's partial ones.
vec2 extremesOfChannel(const int channel) {
#if defined(LANES_SAME)
  vec4 halves = extremesOf(channel);
  return widen(halves, halves.zwzw).xy;
#else
  int pair = channel / 2;
  vec4 both = extremesOf(pair);
  return channel == 2 * pair ? both.xy : both.zw;
#endif
}

// One element of [3, channels] per fragment.
void main() {
  ivec2 place = placeOf(indexOfFragment(), channelCount);
  MovingRange before = MovingRange(
    elementOf(MOVING, movingAt, place.x),
    elementOf(MOVING, movingAt, channelCount + place.x),
    elementOf(MOVING, movingAt, 2 * channelCount + place.x)
  );
  vec2 extremes = extremesOfChannel(place.x);
  MovingRange after = observe(before, extremes.x, extremes.y, ObserveRule(rule.x, steps.x, rule.y == 1, steps.y));
  setOutput(place.y == 0 ? after.low : place.y == 1 ? after.high : after.weight);
}
