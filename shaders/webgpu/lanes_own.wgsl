// Every lane is a channel of its own: nothing to reduce.

fn laneSum(v: Lanes) -> Channels {
  return v;
}

fn laneMin(v: Lanes) -> Channels {
  return v;
}

fn laneMax(v: Lanes) -> Channels {
  return v;
}
