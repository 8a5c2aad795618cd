"""Renders the portraits of simulated people: faces of nobody, made by a generator network.

    python3 render.py WHEEL_FOLDER OUT_FOLDER

WHEEL_FOLDER holds the unpacked wheel `random-face` 2021.7.21.1 (Apache-2.0; MobileStyleGAN, arXiv 2104.04767).
Needs the packages openvino, numpy and opencv-python-headless. For each line of styles.txt (name, scale, 512 signed
bytes in base64, 68 landmarks) it writes OUT_FOLDER/NAME.png, 512 x 512 with a transparent ground, and NAME.txt.
"""
import base64
import pathlib
import sys

import cv2
import numpy as np
import openvino


def style(scale, text):
    """The point in the generator's style space."""
    return np.frombuffer(base64.b64decode(text), np.int8).astype(np.float32)[None] * np.float32(scale)


def picture(network, point):
    """Blue, green, red; 512 x 512."""
    raw = network([point])[0][0].transpose(1, 2, 0)[:, :, ::-1]
    large = np.clip((raw + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)
    return cv2.resize(large, (512, 512), interpolation=cv2.INTER_AREA)


def opacity(image, points):
    """Separates the person from the ground: the head is sure, its rim of hair is found by colour."""
    left, right, chin = points[0], points[16], points[8]
    eyes = (points[36] + points[45]) / 2
    half, drop = (right[0] - left[0]) / 2, chin[1] - eyes[1]
    middle = (int((left[0] + right[0]) / 2), int(eyes[1]))

    def oval(mask, width, height, value):
        cv2.ellipse(mask, middle, (int(half * width), int(drop * height)), 0, 0, 360, value, -1)

    mask = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    oval(mask, 1.62, 1.6, cv2.GC_PR_BGD)
    oval(mask, 1.28, 1.05, cv2.GC_PR_FGD)
    oval(mask, 1.0, 0.72, cv2.GC_FGD)
    below = np.arange(image.shape[0])[:, None] > eyes[1] + drop * 0.5
    mask[np.logical_and(below, mask != cv2.GC_BGD)] = cv2.GC_PR_BGD
    cv2.fillPoly(mask, [cv2.convexHull(points.astype(np.int32))], cv2.GC_FGD)
    mask[int(chin[1]):, int(middle[0] - half * 0.5):int(middle[0] + half * 0.5)] = cv2.GC_FGD
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    round_brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    person = cv2.morphologyEx(cv2.morphologyEx(person, cv2.MORPH_CLOSE, round_brush), cv2.MORPH_OPEN, round_brush)
    # A soft, smooth outline is kinder than every hair cut out wrongly.
    soft = cv2.GaussianBlur((cv2.GaussianBlur(person.astype(np.float32), (0, 0), 9) > 0.5).astype(np.float32), (0, 0), 2.5)
    return np.clip((soft - 0.25) / 0.6 * 255, 0, 255).astype(np.uint8)


def main():
    wheel, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    core = openvino.Core()
    model = core.read_model(wheel / "random_face" / "data" / "SynthesisNetwork.xml")
    network = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for line in (pathlib.Path(__file__).parent / "styles.txt").read_text().splitlines():
        name, scale, text, *numbers = line.split()
        points = np.array(numbers, np.float32).reshape(68, 2)
        image = picture(network, style(scale, text))
        cv2.imwrite(str(out / f"{name}.png"), np.dstack([image, opacity(image, points)]))
        (out / f"{name}.txt").write_text("\n".join(f"{x:.1f} {y:.1f}" for x, y in points) + "\n")
        print(name)


main()
