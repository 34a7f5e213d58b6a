// One element of the grid per fragment.

void main() {
  Learned here = learnedHere();
  LearnedEnds last = LearnedEnds(elementOf(LAST, lastAt, here.first), elementOf(LAST, lastAt, here.second));
  float first = elementOf(TRAINED, trainedAt, here.first);
  LearnedEnds grid = learn(first, elementOf(TRAINED, trainedAt, here.second), last, rule.x, rule.y);
  setOutput(here.isSecond ? grid.low : grid.scale);
}
