"""How near the tensors of a quantized model come to the ties between levels, where a unit in the last place decides a level."""

from common import np, tf


class TieMargin:
    """While entered, watches how near what is fake-quantized per tensor comes to a tie. It sees eager steps only."""

    def __init__(self):
        self.value = 0.5

    def __enter__(self):
        self._original = tf.quantization.fake_quant_with_min_max_vars
        tf.quantization.fake_quant_with_min_max_vars = self._watch
        return self

    def __exit__(self, *_):
        tf.quantization.fake_quant_with_min_max_vars = self._original

    def _watch(self, inputs, low, high, num_bits, narrow_range):
        if not tf.executing_eagerly():  # while a model is built
            return self._original(inputs, low, high, num_bits=num_bits, narrow_range=narrow_range)
        step = (float(high) - float(low)) / (2**num_bits - 1 - narrow_range)
        x = inputs.numpy().astype(np.float64)
        inside = x[(x > float(low)) & (x < float(high))]
        if step > 0:
            self.value = min(self.value, np.abs(inside / step % 1 - 0.5).min(initial=0.5))
        return self._original(inputs, low, high, num_bits=num_bits, narrow_range=narrow_range)
