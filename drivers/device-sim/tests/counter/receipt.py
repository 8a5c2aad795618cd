"""What a slip's bytes are by a parser that is not ours: the ESC/POS tokenizer and print model of the package emupos.

    receipt.py PRINTED PICTURE WIDTH_DOTS

Prints one JSON value: the tokens (commands by name with their parameters, texts as GB18030) and the model's events,
and writes the paper as a PNG.
"""

import importlib.machinery
import json
import re
import sys
import types


class OlderPython(importlib.machinery.SourceFileLoader):
    """The package is written for Python 3.13; the only thing of it that an older one cannot read are type aliases."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        source = re.sub(rb"(?m)^type (\w+) = ", rb"\1 = ", self.get_data(path))
        return self.source_to_code(source, path)


class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] != "emupos":
            return None
        spec = super().find_spec(name, path, target)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = OlderPython(spec.loader.name, spec.loader.path)
        return spec


sys.meta_path.insert(0, Finder)
# Its settings need a server's packages, and only name a type here.
sys.modules["emupos.config"] = types.SimpleNamespace(PrinterProfile=object)

from emupos.printer.escpos.model import PrintModel  # noqa: E402
from emupos.printer.escpos.tokenizer import Command, Text, Tokenizer  # noqa: E402


def plain(token):
    if isinstance(token, Text):
        return {"text": token.data.decode("gb18030")}
    if isinstance(token, Command):
        return {"command": token.name, "params": list(token.params), "n_data": len(token.data)}
    return {"unknown": list(token.raw)}


def main():
    printed, picture, width_dots = sys.argv[1:]
    tokenizer = Tokenizer()
    with open(printed, "rb") as file:
        tokens = tokenizer.feed(file.read())
    left = tokenizer.close()
    tokens += [left] if left else []
    cell = types.SimpleNamespace(width=12, height=24)
    profile = types.SimpleNamespace(
        width_dots=int(width_dots), font_a=cell, font_b=cell, code_pages={0: "PC437"}, default_code_page=0
    )
    model = PrintModel("printer", profile)
    strangers = 0
    for token in tokens:
        # The cut belongs to its printer and not to its paper.
        if not (isinstance(token, Command) and token.name == "GS V"):
            strangers += len(model.process(token))
    receipt = model.finish("cut")
    with open(picture, "wb") as file:
        file.write(receipt.png)
    print(json.dumps({"tokens": [plain(token) for token in tokens], "strangers": strangers}))


if len(sys.argv) > 1:
    main()
