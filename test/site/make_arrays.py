"""Writes arrays.json: .npy files of numpy, in base64, by what they are."""
import base64
import io
import json
import os

import numpy as np

VALUES = np.array([[0, 1, 2], [3, 100, 7]])
ARRAYS = {dtype: VALUES.astype(dtype) for dtype in "u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8".split()}
ARRAYS["bool"] = VALUES > 2
ARRAYS["fortran"] = np.asfortranarray(VALUES.astype("f4"))
ARRAYS["complex"] = VALUES.astype("c8")
ARRAYS["text"] = np.array(["a", "b"])
ARRAYS["one"] = np.arange(4, dtype="f4")
ARRAYS["labels"] = np.array([2, 0], dtype="i8")
ARRAYS["one_hot"] = np.eye(3, dtype="f4")[[2, 0]]
ARRAYS["images"] = np.arange(2 * 4 * 4, dtype="u1").reshape(2, 4, 4)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return base64.b64encode(file.getvalue()).decode()


path = os.path.join(os.path.dirname(__file__), "arrays.json")
with open(path, "w") as file:
    json.dump({name: npy(array) for name, array in ARRAYS.items()}, file, indent=2)
    file.write("\n")
