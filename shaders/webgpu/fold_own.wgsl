// Every lane is a channel of its own: nothing to fold.

fn foldSum(v: Lanes) -> Channels {
  return v;
}

fn foldLow(v: Lanes) -> Channels {
  return v;
}

fn foldHigh(v: Lanes) -> Channels {
  return v;
}
