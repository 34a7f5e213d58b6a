"""Times TensorFlow's CPU kernels on one thread. Reads a job (JSON) from standard input, writes times as JSON.

The job: {"data": folder of x.bin and dy.bin, "cases": [{"shape", "axis" or null, "min", "max"}]}.
"""

import json
import os
import statistics
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def median_time(run, rounds=11):
    """Milliseconds: the median of a few runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def best(run):
    """The smallest of five medians, to leave out what else the machine does."""
    run()
    return min(median_time(run) for _ in range(5))


def measure(case, data):
    """The times of one shape."""
    shape, axis = case["shape"], case.get("axis")
    size = int(np.prod(shape))

    def load(name):
        return tf.constant(np.fromfile(f"{data}/{name}.bin", np.float32, size).reshape(shape))

    x, dy = load("x"), load("dy")
    low, high = tf.constant(case["min"], tf.float32), tf.constant(case["max"], tf.float32)
    if axis is None:
        forward, gradient = tf.quantization.fake_quant_with_min_max_vars, tf.quantization.fake_quant_with_min_max_vars_gradient
    else:
        forward = tf.quantization.fake_quant_with_min_max_vars_per_channel
        gradient = tf.quantization.fake_quant_with_min_max_vars_per_channel_gradient
    return {
        "shape": shape,
        **({} if axis is None else {"axis": axis}),
        "forward": best(lambda: forward(x, low, high)),
        "gradient": best(lambda: gradient(dy, x, low, high)),
        "relu": best(lambda: tf.nn.relu(x)),
    }


job = json.load(sys.stdin)
json.dump({"version": tf.__version__, "times": [measure(case, job["data"]) for case in job["cases"]]}, sys.stdout)
