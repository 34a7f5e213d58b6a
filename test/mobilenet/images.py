"""Writes square crops of the photos that scikit-image and scikit-learn bring, as bytes of 224 by 224 pixels.

    python images.py COUNT FILE
"""

import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

SIZE = 224
SMALLEST = 160


def photos():
    folders = [Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images"]
    files = sorted(file for folder in folders for file in folder.iterdir() if file.suffix in (".png", ".jpg", ".jpeg"))
    images = [Image.open(file) for file in files]
    return [image.convert("RGB") for image in images if image.mode in ("RGB", "L") and min(image.size) > SMALLEST]


def crop(image, generator):
    side = int(generator.integers(SMALLEST, min(image.size) + 1))
    left, top = (int(generator.integers(0, length - side + 1)) for length in image.size)
    box = (left, top, left + side, top + side)
    pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box))
    return pixels[:, ::-1] if generator.integers(2) else pixels


def main():
    count, file = int(sys.argv[1]), sys.argv[2]
    generator, images = np.random.default_rng(0), photos()
    print(f"{len(images)} photos", file=sys.stderr)
    np.stack([crop(images[i % len(images)], generator) for i in range(count)]).tofile(file)


main()
