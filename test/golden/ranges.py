"""Makes ranges.json: how a moving range follows batches, computed by TensorFlow in float32.

    pip install -r requirements.txt && python ranges.py

tfmot's rules (MovingAverageQuantizer, LastValueQuantizer, AllValuesQuantizer; symmetric or holding 0) written in
TensorFlow's ops, and beside them the debiased average, whose step is rate / (1 - decay^n).
"""

import json
import pathlib

import numpy as np
import tensorflow as tf

STEPS = 4
CHANNELS = 3


def batch_range(x, ratio, observer):
    low, high = tf.reduce_min(x, axis=0), tf.reduce_max(x, axis=0)
    if not ratio:
        return tf.minimum(low, 0.0), tf.maximum(high, 0.0)
    lowered = tf.minimum(low, high / ratio)
    # AllValuesQuantizer alone goes on from the lowered one.
    return lowered, tf.maximum(high, (lowered if observer == 'allValues' else low) * ratio)


def follow(state, x, observer, decay, debias, ratio):
    low, high, weight = state
    batch_low, batch_high = batch_range(x, ratio, observer)
    rate = tf.constant(1 - decay, tf.float32)
    weight = weight + (1.0 - weight) * rate
    if observer == 'lastValue':
        return batch_low, batch_high, weight
    if observer == 'allValues':
        return tf.minimum(low, batch_low), tf.maximum(high, batch_high), weight
    step = rate / weight if debias else rate
    return low - (low - batch_low) * step, high - (high - batch_high) * step, weight


def cases():
    rng = np.random.default_rng(7)
    for observer in ['movingAverage', 'lastValue', 'allValues']:
        for num_bits, narrow, symmetric in [(8, False, False), (8, True, True), (8, False, True), (4, False, True)]:
            for decay, debias in [(0.99, True), (0.999, False)] if observer == 'movingAverage' else [(0.99, True)]:
                ratio = (-1.0 if narrow else -(2**num_bits - 2) / 2**num_bits) if symmetric else 0
                state = [tf.zeros(CHANNELS), tf.zeros(CHANNELS), tf.zeros(CHANNELS)]
                batches, ranges = [], []
                for step in range(STEPS):
                    scale = np.float32([0.5, 1, 3])
                    x = (rng.normal(size=(5, CHANNELS)).astype(np.float32) + [0, 1, -2]) * scale * (step + 1)
                    x = tf.constant(x, tf.float32)
                    state = follow(state, x, observer, decay, debias, ratio)
                    batches.append(x.numpy().ravel().tolist())
                    ranges.append(np.concatenate(state).tolist())
                yield {
                    'options': {
                        'observer': observer, 'numBits': num_bits, 'narrowRange': narrow,
                        'symmetric': symmetric, 'decay': decay, 'debias': debias, 'axis': 1,
                    },
                    'batches': batches,
                    'ranges': ranges,
                }


lines = ',\n'.join(json.dumps(case) for case in cases())
path = pathlib.Path(__file__).with_name('ranges.json')
path.write_text(f'{{"tensorflow": "{tf.__version__}", "shape": [5, {CHANNELS}], "cases": [\n{lines}\n]}}\n')
