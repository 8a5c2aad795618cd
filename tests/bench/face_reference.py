"""The published face weights in onnxruntime, with none of our code: detect, landmarks, align, embed, cosine.

What is written here follows what the networks' makers document: the detector's boxes are decoded already, the landmark
network takes the box in grey, the embedding takes five points carried onto the usual template of 112 x 112.
"""

import numpy
import onnxruntime
from PIL import Image

TEMPLATE = numpy.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


class Faces:
    """Loads the three networks."""

    def __init__(self, models):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        load = lambda name: onnxruntime.InferenceSession(str(models / name), options, ["CPUExecutionProvider"])
        self.detect, self.landmark, self.embed = map(load, ("fr_detect.onnx", "fr_landmark.onnx", "fr_feature.onnx"))

    def template(self, path):
        """The embedding of the largest face; None without one."""
        picture = Image.open(path).convert("RGB")
        box = self.box(picture)
        if box is None:
            return None
        points = self.points(picture, box)
        pixels = numpy.asarray(aligned(picture, points), numpy.float32)[:, :, ::-1]
        (embedding,), = self.embed.run(None, feed(self.embed, (pixels - 127) / 128))
        return embedding / numpy.linalg.norm(embedding)

    def box(self, picture):
        width, height = picture.size
        canvas = (max(width, height * 4 // 3), max(height, width * 3 // 4))
        left, top = (canvas[0] - width) // 2, (canvas[1] - height) // 2
        padded = Image.new("RGB", canvas)
        padded.paste(picture, (left, top))
        pixels = numpy.asarray(padded.resize((320, 240), Image.Resampling.BILINEAR), numpy.float32)
        scores, boxes = self.detect.run(None, feed(self.detect, (pixels - 127) / 128))
        found = boxes[0][scores[0, :, 1] > 0.65] * numpy.tile(canvas, 2) - numpy.tile((left, top), 2)
        if not len(found):
            return None
        # The best few of one face overlap; which of them is the largest matters little.
        return found[numpy.argmax((found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1]))]

    def points(self, picture, box):
        grey = picture.convert("L").resize((64, 64), Image.Resampling.BILINEAR, box=inside(box, picture.size))
        pixels = numpy.asarray(grey, numpy.float32)[:, :, None] / 256
        (found,) = self.landmark.run(None, feed(self.landmark, pixels))
        left, top, right, bottom = inside(box, picture.size)
        return found.reshape(68, 2) * (right - left, bottom - top) + (left, top)


def inside(box, size):
    left, top = numpy.clip(box[:2], 0, numpy.array(size) - 2)
    right, bottom = numpy.clip(box[2:], (left + 1, top + 1), size)
    return float(left), float(top), float(right), float(bottom)


def feed(network, pixels):
    return {network.get_inputs()[0].name: numpy.ascontiguousarray(pixels.transpose(2, 0, 1)[None], numpy.float32)}


def aligned(picture, points):
    """Carries eyes, nose and corners of the mouth onto the template (least squares, without mirroring)."""
    mean = lambda *index: points[list(index)].mean(0)
    five = numpy.array([mean(37, 38, 40, 41), mean(43, 44, 46, 47), points[30], mean(48, 60), mean(54, 64)])
    # The wanted map takes the template to the picture: complex numbers hold turn and scale.
    complex_of = lambda at: at[:, 0] + 1j * at[:, 1]
    to, of = complex_of(five), complex_of(TEMPLATE)
    turn = numpy.vdot(of - of.mean(), to - to.mean()) / numpy.vdot(of - of.mean(), of - of.mean())
    move = to.mean() - turn * of.mean()
    a, b = turn.real, turn.imag
    coefficients = (a, -b, move.real, b, a, move.imag)
    return picture.transform((112, 112), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
