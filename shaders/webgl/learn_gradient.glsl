// The gradient of what is trained, laid out as the grid is: one element per fragment.

void main() {
  Learned here = learnedHere();
  LearnedEnds gradient = LearnedEnds(elementOf(DY, dyAt, here.first), elementOf(DY, dyAt, here.second));
  LearnedEnds grid = LearnedEnds(elementOf(GRID, gridAt, here.first), elementOf(GRID, gridAt, here.second));
  vec2 trained = learnGradient(gradient, grid, rule.y);
  setOutput(here.isSecond ? trained.y : trained.x);
}
