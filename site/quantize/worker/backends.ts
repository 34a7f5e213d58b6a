/** tfjs's backends, in the order in which they are wanted. */
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from 'tfjs-quantization/tf';

const NAMES = ['webgpu', 'webgl', 'cpu'];

/** A renderer in software that stands in for a GPU, slower than all else. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render/i;

async function hasGpu(): Promise<boolean> {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) return false;
    const {isFallbackAdapter, description, device, vendor, architecture} = adapter.info;
    return !isFallbackAdapter && !SOFTWARE.test(`${vendor} ${architecture} ${device} ${description}`);
  } catch {
    return false;
  }
}

/** Whether WebGL draws in software, which small networks take ten times as long on as on cpu, and large ones no less. */
function drawsInSoftware(): boolean {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const renderer: unknown = gl?.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
  return SOFTWARE.test(String(renderer));
}

/** Makes a backend tfjs's own. Whether it is there. */
async function opened(name: string): Promise<boolean> {
  try {
    return await tf.setBackend(name);
  } catch {
    return false;
  }
}

let available: Promise<string[]> | undefined;

/** Those that work here. */
async function probed(): Promise<string[]> {
  const working: string[] = [];
  for (const name of NAMES) {
    if (name === 'webgpu' && !(await hasGpu())) continue;
    if (await opened(name)) working.push(name);
  }
  return working.includes('webgl') && drawsInSoftware()
    ? [...working.filter(name => name !== 'webgl'), 'webgl']
    : working;
}

/** Makes the backend of a name tfjs's own, or the first that works. */
export async function openBackend(name?: string): Promise<{name: string; available: readonly string[]}> {
  const all = await (available ??= probed());
  const chosen = name ?? all[0]!;
  if (!all.includes(chosen) || !(await opened(chosen))) {
    await opened(all[0]!);
    throw new Error(`This browser has no ${chosen}. There are ${all.join(', ')}.`);
  }
  return {name: tf.getBackend(), available: all};
}
