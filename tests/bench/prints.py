"""Prints as they come: prints.py MODELS TESTDATA OUT.

Copies of each FVC finger's first print, changed as agencies' folders change them, each compared as the probe with the
untouched second and third print of its finger and with one print of each other finger of its set. One run of `models evaluate finger --scores` over all of them; the rates are those at
the manifest's accept, which nobody moves for this. A print that could not be taken counts as not matched.
"""

import collections
import csv
import itertools
import json
import math
import pathlib
import subprocess
import sys

import numpy
from PIL import Image, ImageOps

from accuracy import FINGER_SETS

N_PLACEMENTS = 3


def ridged(picture):
    """Middle of what has contrast."""
    grey = numpy.asarray(picture, float)
    rows, columns = (n // 16 for n in grey.shape)
    blocks = grey[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16).std(axis=(1, 3))
    at = numpy.argwhere(blocks > 18)
    return tuple(int(value) * 16 + 8 for value in at.mean(axis=0)[::-1]) if len(at) else (grey.shape[1] // 2, grey.shape[0] // 2)


def around(picture, size):
    width, height = (min(a, b) for a, b in zip(size, picture.size))
    x, y = ridged(picture)
    left = min(max(0, x - width // 2), picture.width - width)
    top = min(max(0, y - height // 2), picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def half(picture):
    """The upper half of where the ridges are: the lower half of the finger was not on the glass."""
    x, y = ridged(picture)
    return picture.crop((0, 0, picture.width, y)) if y >= picture.height // 2 else picture.crop((0, y, picture.width, picture.height))


def sixteen(picture):
    return picture.point(lambda grey: grey // 16 * 17)


def few(picture):
    """4 bits in a file of 16 shades."""
    paletted = picture.point(lambda grey: grey // 16).convert("L")
    shades = Image.frombytes("P", picture.size, paletted.tobytes())
    shades.putpalette([shade * 17 for shade in range(16) for _ in range(3)])
    return shades


def alpha(picture):
    """Black ink whose amount is the transparency."""
    ink = Image.new("LA", picture.size, 0)
    ink.putalpha(ImageOps.invert(picture))
    return ink


def sized(picture, ppi):
    size = [round(n * ppi / 500) for n in picture.size]
    return picture.resize(size, Image.BICUBIC)


def sheet(picture):
    """A page scanned at 500 pixels per inch with one print on it."""
    page = Image.new("L", (4100, 5800), 255)
    page.paste(picture, (1900, 3000))
    return page


# name, what is done, the file's kind, what it says of itself
CHANGES = [
    ("as they are", lambda p: p, "png", {}),
    ("negative", ImageOps.invert, "png", {}),
    ("the half of a finger", half, "png", {}),
    ("cut to 256 x 256 pixels", lambda p: around(p, (256, 256)), "png", {}),
    ("cut to 160 x 160 pixels", lambda p: around(p, (160, 160)), "png", {}),
    ("cut to 160 x 160, negative", lambda p: ImageOps.invert(around(p, (160, 160))), "png", {}),
    ("4 bits in 8", sixteen, "png", {}),
    ("4 bits, 16 shades in the file", few, "png", {"bits": 4}),
    ("values 0 to 15 only", lambda p: p.point(lambda grey: grey // 16), "png", {}),
    ("JPEG quality 75", lambda p: p, "jpg", {"quality": 75}),
    ("JPEG quality 50", lambda p: p, "jpg", {"quality": 50}),
    ("JPEG quality 30", lambda p: p, "jpg", {"quality": 30}),
    ("ink in the alpha channel", alpha, "png", {}),
    ("1000 per inch, said", lambda p: sized(p, 1000), "png", {"dpi": (1000, 1000)}),
    ("1000 per inch, not said", lambda p: sized(p, 1000), "png", {}),
    ("400 per inch, said", lambda p: sized(p, 400), "png", {"dpi": (400, 400)}),
    ("400 per inch, not said", lambda p: sized(p, 400), "png", {}),
    ("250 per inch, said", lambda p: sized(p, 250), "png", {"dpi": (250, 250)}),
    ("250 per inch, not said", lambda p: sized(p, 250), "png", {}),
    ("500 per inch, 72 said", lambda p: p, "jpg", {"quality": 95, "dpi": (72, 72)}),
    ("500 per inch, 300 said", lambda p: p, "png", {"dpi": (300, 300)}),
    ("on a scanned page", sheet, "png", {}),
    ("12 x 12 pixels", lambda p: around(p, (12, 12)), "png", {}),
    ("a white picture", lambda p: Image.new("L", p.size, 255), "png", {}),
    ("a black picture", lambda p: Image.new("L", p.size, 0), "png", {}),
]


def prints(data):
    """(finger, placement) to file; a finger is a set and a number."""
    found = {}
    for name in FINGER_SETS:
        for path in sorted((data / "fingerprints" / name).glob("*.png")):
            finger, placement = path.stem.split("_")
            if int(placement) <= N_PLACEMENTS:
                found[(name, finger), int(placement)] = path
    return found


def compared(found, changed):
    """Genuine: with the finger's other prints. Others: with the second print of each other finger of its set."""
    for finger, probe in changed.items():
        for (other, number), reference in found.items():
            if finger == other and number > 1:
                yield probe, reference, 1
            elif finger[0] == other[0] and finger != other and number == 2:
                yield probe, reference, 0


def wilson(k, n):
    z, p = 1.96, k / n
    middle, half_width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [100 * (middle - half_width) / (1 + z * z / n), 100 * (middle + half_width) / (1 + z * z / n)]


def redrawn(refused, seed=1):
    """95 % of the share refused, when fingers are drawn again: prints of one finger are no separate trials."""
    of_finger = collections.defaultdict(list)
    for finger, is_refused in refused:
        of_finger[finger].append(is_refused)
    counts = numpy.array([[sum(one), len(one)] for one in of_finger.values()])
    drawn = numpy.random.default_rng(seed).integers(0, len(counts), (2000, len(counts)))
    sums = counts[drawn].sum(axis=1)
    by_fingers = numpy.percentile(100 * sums[:, 0] / sums[:, 1], [2.5, 97.5])
    by_counts = wilson(sum(is_refused for _, is_refused in refused), len(refused))
    return min(by_fingers[0], by_counts[0]), max(by_fingers[1], by_counts[1])


def main(program, data, out):
    work = out / "prints"
    work.mkdir(parents=True, exist_ok=True)
    found = prints(data)
    rows, owner = [], []
    for number, (name, change, kind, options) in enumerate(CHANGES):
        changed = {}
        for (finger, placement), path in found.items():
            if placement == 1:
                file = work / f"{number}-{finger[0]}-{finger[1]}.{kind}"
                change(Image.open(path).convert("L")).save(file, **options)
                changed[finger] = file
        fingers = {file: finger for finger, file in changed.items()}
        for probe, reference, genuine in compared(found, changed):
            rows.append((probe, reference, genuine))
            owner.append((name, fingers[probe]))
    listed, scored, report = work / "pairs.csv", work / "scores.csv", work / "report.json"
    with listed.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path_a", "path_b", "genuine"))
        writer.writerows(rows)
    subprocess.run([program, "evaluate", "finger", "--pairs", listed, "--out", report, "--scores", scored], check=True)
    said = json.loads(report.read_text())
    # Of the threshold sets the lowest is the one for templates of the program's own extractor.
    accept = min(at["accept"] for at in said["at_accept"].values())
    with scored.open(newline="") as file:
        scores = [float(row["score"] or "-inf") for row in csv.DictReader(file)]
    lost = collections.defaultdict(collections.Counter)
    for one in said["not_acquired"]:
        lost[int(pathlib.Path(one["path"]).name.split("-")[0])][one["reason"]] += 1
    n_fingers = len({finger for finger, _ in found})
    print(f"accept {accept:.2f}; {n_fingers} fingers, {2 * n_fingers} pairs of the same finger a row")
    print("| prints, one side changed | FNMR at accept | false matches | not acquired |\n|---|---|---|---|")
    for number, (name, *_) in enumerate(CHANGES):
        mine = [(finger, score, row[2]) for (change, finger), score, row in zip(owner, scores, rows) if change == name]
        refused = [(finger, score < accept) for finger, score, genuine in mine if genuine]
        others = [score >= accept for _, score, genuine in mine if not genuine]
        low, high = redrawn(refused)
        share = 100 * sum(one for _, one in refused) / len(refused)
        why = ", ".join(f"{n} {reason}" for reason, n in lost[number].items()) or "0"
        print(f"| {name} | {share:.1f} % ({low:.1f} to {high:.1f}) | {sum(others)} of {len(others)} | {why} |")


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
