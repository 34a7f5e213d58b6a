// The partial extremes of two neighbouring channels: those of the first in x and y, of the second in z and w.

vec4 widen(vec4 extremes, vec4 partial) {
  return vec4(
    partial.x < extremes.x ? partial.x : extremes.x,
    partial.y > extremes.y ? partial.y : extremes.y,
    partial.z < extremes.z ? partial.z : extremes.z,
    partial.w > extremes.w ? partial.w : extremes.w
  );
}

vec4 extremesOf(int channel) {
  vec4 extremes = vec4(infinity, -infinity, infinity, -infinity);
  for (int chunk = 0; chunk < 65536; ++chunk) {
    if (chunk >= plan.x) break;
    extremes = widen(extremes, partialOf(channel, chunk));
  }
  return extremes;
}
