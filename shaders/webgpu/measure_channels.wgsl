// Each thread leaves a pair: all smallest first, then all largest.

fn leave(thread: u32, lowest: Channels, highest: Channels) {
  if (thread < uniforms.threads) {
    result[thread] = lowest;
    result[uniforms.threads + thread] = highest;
  }
}
