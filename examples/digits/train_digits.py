#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the digits network and writes the files under data/ that the example loads.

    python3 train_digits.py [--out data]

Needs scikit-learn (Debian: python3-sklearn), which carries the data set. Split and seeds are fixed;
the last bits of the weights may still differ between BLAS libraries. File formats: data/README.md.
"""
import argparse
import pathlib
import struct
import sys

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 2026
HELD_BACK = 450
HIDDEN = (1024, 1024)
MIN_ACCURACY = 0.975
FORMAT_VERSION = 1


def train(pixels, labels):
    """Returns [(weights[in, out], bias[out]), ...] of a ReLU network over raw pixels, 0 to 16."""
    network = MLPClassifier(hidden_layer_sizes=HIDDEN, alpha=1e-3, max_iter=60, random_state=SEED)
    network.fit(pixels / 16.0, labels)
    print(f"trained {network.n_iter_} epochs, loss {network.loss_:.5f}")
    layers = list(zip(network.coefs_, network.intercepts_))
    # The pixel scale goes into the first layer, so that nobody who loads the file has to know it.
    layers[0] = (layers[0][0] / 16.0, layers[0][1])
    return layers


def quantise(weights):
    """Returns (int8 weights, float32 scale of each column): weight = scale * int8."""
    scale = numpy.abs(weights).max(axis=0) / 127.0
    scale[scale == 0.0] = 1.0
    scale = scale.astype("<f4")
    return numpy.rint(weights / scale).clip(-127, 127).astype(numpy.int8), scale


def classify(layers, pixels):
    """The float32 answer of the quantised network: that of the C++ program up to rounding."""
    x = pixels.astype(numpy.float32)
    for i, (weights, scale, bias) in enumerate(layers):
        x = x @ (weights.astype(numpy.float32) * scale) + bias
        if i + 1 < len(layers):
            x = numpy.maximum(x, 0.0)
    return x.argmax(axis=1)


def write_model(path, layers):
    with open(path, "wb") as file:
        file.write(struct.pack("<8sII", b"DIGITMLP", FORMAT_VERSION, len(layers)))
        for weights, scale, bias in layers:
            file.write(struct.pack("<II", *weights.shape))
            file.write(scale.tobytes() + bias.tobytes() + weights.tobytes())


def write_images(path, pixels, labels):
    with open(path, "wb") as file:
        file.write(struct.pack("<8sIII", b"DIGITIMG", FORMAT_VERSION, *pixels.shape))
        file.write(pixels.astype(numpy.uint8).tobytes() + labels.astype(numpy.uint8).tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "data")
    out = parser.parse_args().out

    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=HELD_BACK, random_state=SEED, stratify=digits.target)
    layers = [(*quantise(weights), bias.astype("<f4")) for weights, bias in train(train_x, train_y)]

    correct = int((classify(layers, test_x) == test_y).sum())
    print(f"accuracy {correct}/{len(test_y)} = {correct / len(test_y):.4f}")
    if correct < MIN_ACCURACY * len(test_y):
        sys.exit(f"accuracy is below {MIN_ACCURACY}: nothing written")
    out.mkdir(parents=True, exist_ok=True)
    write_model(out / "digits_mlp.bin", layers)
    write_images(out / "digits_images.bin", test_x, test_y)


if __name__ == "__main__":
    main()
