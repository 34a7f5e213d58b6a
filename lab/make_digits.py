"""Makes digits.bin.gz: the 1797 handwritten digits that scikit-learn carries, in its order.

    pip install scikit-learn && python lab/make_digits.py

Each image is 65 bytes: 64 pixels of 0 to 16, row by row, and its label.
"""

import gzip
import pathlib

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
records = np.hstack([digits.data, digits.target[:, None]]).astype(np.uint8)
assert records.shape == (1797, 65) and records[:, :64].max() == 16
path = pathlib.Path(__file__).with_name("digits.bin.gz")
path.write_bytes(gzip.compress(records.tobytes(), 9, mtime=0))
