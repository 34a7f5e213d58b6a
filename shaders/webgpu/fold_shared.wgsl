// Four lanes of one channel become one value.

fn foldSum(v: Lanes) -> Channels {
  return (v.x + v.y) + (v.z + v.w);
}

fn foldLow(v: Lanes) -> Channels {
  return min(min(v.x, v.y), min(v.z, v.w));
}

fn foldHigh(v: Lanes) -> Channels {
  return max(max(v.x, v.y), max(v.z, v.w));
}
