// A learned range: kernels/learn.ts function for function; the reasons stand there.

struct LearnedEnds {
  float scale;
  float low;
};

const float LIMIT = 69.0;

bool isRange(const float logarithm) {
  bool unordered = isNaN(logarithm);
  return abs(logarithm) < LIMIT && !unordered;
}

float endOf(const float trained, const float last, const float speed) {
  float logarithm = trained * speed;
  bool good = isRange(logarithm);
  float end = exp(logarithm);
  return good ? end : last;
}

float above(const LearnedEnds ends, const float steps) {
  return abs(ends.low + rounded(ends.scale * steps));
}

LearnedEnds learn(const float first, const float second, const LearnedEnds last, const float speed, const float steps) {
  if (steps == 0.0) return LearnedEnds(endOf(first, last.scale, speed), 0.0);
  float below = endOf(first, abs(last.low), speed);
  float over = endOf(second, above(last, steps), speed);
  return LearnedEnds((below + over) / steps, -below);
}

vec2 learnGradient(const LearnedEnds gradient, const LearnedEnds grid, const float steps) {
  if (steps == 0.0) return vec2(gradient.scale * grid.scale, 0.0);
  float share = gradient.scale / steps;
  return vec2((share - gradient.low) * abs(grid.low), share * above(grid, steps));
}

// An element of [channels], or, of two free ends, [2, channels], and where the two of its channel are: of one end at one place.
struct Learned {
  int first;
  int second;
  bool isSecond;
};

Learned learnedHere() {
  ivec2 place = placeOf(indexOfFragment(), view.x);
  return Learned(place.x, place.x + second, place.y == 1);
}
