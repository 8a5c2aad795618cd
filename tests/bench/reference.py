"""Times every network in onnxruntime on one thread: reference.py MODELS INPUTS RUNS; prints JSON.

INPUTS holds index.json and, for each network, NAME.rule.f32 and NAME.person.f32, as the program beside writes them.
"""

import json
import pathlib
import statistics
import sys
import time

import numpy
import onnxruntime


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # The embedding computes with denormal numbers, which takes the default setting up to six times as long.
    # The first session of a process decides for its main thread.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def median_ms(network, name, tensor, n_runs):
    network.run(None, {name: tensor})
    millis = []
    for _ in range(n_runs):
        started = time.perf_counter()
        network.run(None, {name: tensor})
        millis.append((time.perf_counter() - started) * 1e3)
    return statistics.median(millis)


def main(models, inputs, runs):
    rows = []
    for model in json.loads((inputs / "index.json").read_text()):
        network = session(models / model["file"])
        name = network.get_inputs()[0].name
        # The fingerprint network takes a hundred times as long as the others.
        n_runs = -(-runs // 8) if model["name"] == "finger-leader" else runs
        for kind in ("rule", "person"):
            values = numpy.fromfile(inputs / f"{model['name']}.{kind}.f32", dtype="<f4")
            median = median_ms(network, name, values.reshape(model["shape"]), n_runs)
            rows.append({"name": model["name"], "input": kind, "median": median, "n": n_runs})
    print(json.dumps({"runtime": f"onnxruntime {onnxruntime.__version__}, 1 thread, denormals as zero", "rows": rows}))


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]))
