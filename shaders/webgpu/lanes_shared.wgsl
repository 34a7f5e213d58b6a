// Four lanes of one channel become one value.

fn laneSum(v: Lanes) -> Channels {
  return (v.x + v.y) + (v.z + v.w);
}

fn laneMin(v: Lanes) -> Channels {
  return min(min(v.x, v.y), min(v.z, v.w));
}

fn laneMax(v: Lanes) -> Channels {
  return max(max(v.x, v.y), max(v.z, v.w));
}
