/** Registers the ops that only training needs. */
import {cpuMemory, hostMemory, wasmMemory} from './cpu';
import {trainingOverMemory} from './cpu/training';
import type {TrainingDevice} from './device';
import {registerRows} from './register';
import {COUNTING_OPS, LEARNED_GRID_OPS, LEARNING_OPS, MEASURING_OPS, RANGE_OPS, RELU_OPS} from './training_table';
import {webglTraining} from './webgl/training';
import {webgpuTraining} from './webgpu/training';

export function registerTrainingKernels(): void {
  registerRows<TrainingDevice>(
    [...MEASURING_OPS, ...COUNTING_OPS, ...RANGE_OPS, ...LEARNED_GRID_OPS, ...RELU_OPS, ...LEARNING_OPS],
    {
      cpu: backend => trainingOverMemory(cpuMemory(backend)),
      wasm: backend => trainingOverMemory(wasmMemory(backend)),
      host: backend => trainingOverMemory(hostMemory(backend)),
      webgl: webglTraining,
      webgpu: webgpuTraining,
    },
  );
}
