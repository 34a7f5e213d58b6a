// Which elements a thread visits, in steps of `uniforms.step` lanes: all of one channel, so that a grid serves them all.
// kernels/webgpu plans it.

struct StridedLoop {
  channel: u32,
  first: u32,
  end: u32,
}

fn stridedLoop(thread: u32) -> StridedLoop {
  let run = thread / uniforms.together;
  let start = run * uniforms.inner;
  let end = min(start + uniforms.reach, uniforms.lanes);
  return StridedLoop(
    run % uniforms.channels,
    start + thread % uniforms.together,
    select(0u, end, thread < uniforms.threads));
}
