#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
train.py CONFIGURATION DATASET OUT: teach two layers of a perceptron to read handwritten digits.

DATASET is comma-separated, gzip: 64 shades of 0 to 16 and the digit in each line. OUT gets

    model.safetensors   the weights; the same bytes for the same inputs, configuration, Python and NumPy
    report.json         accuracy on the held-out lines, total_flos, seconds of training

Nothing here depends on the kind of CPU: one thread; sums are left to the reference BLAS, which has one
order of adding; the loss (squared hinge, one digit against the others) and the hidden layer (the positive
part) need no exponential, for which NumPy has other code on other CPUs.

total_flos counts what training computes, each addition, multiplication and maximum as one: for S steps of B
lines, I inputs, H hidden units, O digits and P = (I + 1) H + (H + 1) O weights

    S (4 B I H + 6 B H O + 5 B H + 8 B O + 4 P)

Reading the data and judging the model are not counted.
"""

import gzip
import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import yaml

KEYS = {"seed": int, "held_out": int, "hidden": int, "epochs": int, "batch": int, "rate": float, "momentum": float}


class Counted:
    """Arithmetic that counts its floating-point operations."""

    def __init__(self):
        self.flops = 0

    def product(self, a, b):
        self.flops += 2 * a.shape[0] * a.shape[1] * b.shape[1]
        return a @ b

    def each(self, function, *arrays, out=None):
        result = function(*arrays, out=out)
        self.flops += result.size
        return result

    def sums(self, a):
        """Of the columns; by the product, as NumPy's own sum adds in another order."""
        return self.product(np.ones((1, a.shape[0])), a)


def read_configuration(path):
    with open(path, encoding="utf-8") as f:
        wanted = yaml.safe_load(f)
    if not isinstance(wanted, dict) or set(wanted) != set(KEYS):
        sys.exit(f"train.py: {path}: wants {', '.join(KEYS)} and nothing else")
    for key, kind in KEYS.items():
        if type(wanted[key]) is not kind or wanted[key] < 0:
            sys.exit(f"train.py: {path}: {key}: not a {kind.__name__} of 0 or more")
    return wanted


def read_data(path):
    with gzip.open(path, "rt", encoding="ascii") as f:
        lines = np.loadtxt(f, delimiter=",")
    if lines.ndim != 2 or lines.shape[1] != 65:
        sys.exit(f"train.py: {path}: not lines of 64 shades and a digit")
    return np.ascontiguousarray(lines[:, :64]) / 16, lines[:, 64].astype(int)


def scores(c, w, x):
    hidden = c.each(np.maximum, c.each(np.add, c.product(x, w["hidden.weight"]), w["hidden.bias"]), 0)
    return hidden, c.each(np.add, c.product(hidden, w["digit.weight"]), w["digit.bias"])


def step(c, w, speed, x, sign, rate, momentum):
    """One step of gradient descent on mean over lines of sum over digits of max(0, 1 - sign * score)^2."""
    hidden, score = scores(c, w, x)
    short = c.each(np.maximum, c.each(np.subtract, 1, c.each(np.multiply, sign, score)), 0)
    d_score = c.each(np.multiply, c.each(np.multiply, short, sign), -2 / len(x))
    d_hidden = c.each(np.multiply, c.product(d_score, w["digit.weight"].T), hidden > 0)
    gradient = {
        "digit.weight": c.product(hidden.T, d_score),
        "digit.bias": c.sums(d_score),
        "hidden.weight": c.product(x.T, d_hidden),
        "hidden.bias": c.sums(d_hidden),
    }
    for name, g in gradient.items():
        c.each(np.multiply, speed[name], momentum, out=speed[name])
        c.each(np.subtract, speed[name], c.each(np.multiply, g, rate), out=speed[name])
        c.each(np.add, w[name], speed[name], out=w[name])


def train(wanted, x, digit, random):
    c = Counted()
    sides = (x.shape[1], wanted["hidden"], 10)
    w = {}
    for name, rows, columns in (("hidden", sides[0], sides[1]), ("digit", sides[1], sides[2])):
        w[name + ".weight"] = random.uniform(-1, 1, (rows, columns)) * np.sqrt(3 / rows)
        w[name + ".bias"] = np.zeros((1, columns))
    speed = {name: np.zeros_like(value) for name, value in w.items()}
    sign = np.where(digit[:, None] == np.arange(10), 1.0, -1.0)
    batch = wanted["batch"]
    steps = 0
    for _ in range(wanted["epochs"]):
        order = random.permutation(len(x))
        # What does not fill a batch waits for the next epoch.
        for at in range(0, len(x) - batch + 1, batch):
            lines = order[at : at + batch]
            step(c, w, speed, x[lines], sign[lines], wanted["rate"], wanted["momentum"])
            steps += 1
    return w, c.flops, steps


def write_safetensors(path, tensors):
    """The format of the safetensors library: length of the header, header in JSON, the values in little endian."""
    header, values = {}, b""
    for name in sorted(tensors):
        data = tensors[name].astype("<f8").tobytes()
        header[name] = {
            "dtype": "F64",
            "shape": list(tensors[name].shape),
            "data_offsets": [len(values), len(values) + len(data)],
        }
        values += data
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + values)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: train.py CONFIGURATION DATASET OUT")
    configuration, dataset, out = sys.argv[1:]
    wanted = read_configuration(configuration)
    x, digit = read_data(dataset)
    random = np.random.Generator(np.random.PCG64(wanted["seed"]))
    order = random.permutation(len(x))
    held, taught = order[: wanted["held_out"]], order[wanted["held_out"] :]
    start = time.monotonic()
    w, flops, steps = train(wanted, x[taught], digit[taught], random)
    seconds = time.monotonic() - start
    right = int((scores(Counted(), w, x[held])[1].argmax(axis=1) == digit[held]).sum())
    write_safetensors(os.path.join(out, "model.safetensors"), w)
    report = {
        "held_out": [int(n) for n in sorted(held)],
        "held_out_right": right,
        "numpy": np.__version__,
        "steps": steps,
        "total_flos": flops,
        "training_seconds": round(seconds, 3),
    }
    with open(os.path.join(out, "report.json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in report.items()) + "\n}\n")
    print(f"{right} of {len(held)} held-out digits read, {flops} floating-point operations in {seconds:.1f} s")


if __name__ == "__main__":
    main()
