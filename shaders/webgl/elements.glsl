// Element i of a small tensor. z of `at` is where it starts, w its columns if it is packed, else 0.
float elementOf(sampler2D texture0, ivec4 at, int i) {
  ivec3 source = at.xyz;
  if (at.w == 0) return texelOf(texture0, source, i).r;
  ivec2 place = placeOf(i, at.w);
  vec4 texel = texelOf(texture0, source, (place.y / 2) * ((at.w + 1) / 2) + place.x / 2);
  vec2 row = place.y / 2 * 2 == place.y ? texel.rg : texel.ba;
  return place.x / 2 * 2 == place.x ? row.x : row.y;
}
