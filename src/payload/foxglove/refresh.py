#!/usr/bin/env python3
"""Writes descriptors.binpb: the schemas foxglove.* as one protobuf FileDescriptorSet.

Usage: python3 refresh.py [VERSION]    (needs `python3 -m venv` and the PyPI registry)

Takes them from the PyPI package foxglove-schemas-protobuf, each file after those it imports, in the order of their
names, so that the same version always gives the same bytes. Then set version, counts and sum in README.md as printed.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import venv

PACKAGE = "foxglove-schemas-protobuf"
VERSION = "0.4.0"

# runs where the package is installed: its modules hold the descriptors
COLLECT = """
import importlib, pkgutil, sys
import foxglove_schemas_protobuf as package
from google.protobuf.descriptor_pb2 import FileDescriptorSet

done, files = set(), FileDescriptorSet()
def add(file):
    if file.name not in done:
        done.add(file.name)
        for dependency in sorted(file.dependencies, key=lambda dependency: dependency.name):
            add(dependency)
        file.CopyToProto(files.file.add())
modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name.endswith("_pb2"))
for name in modules:
    add(importlib.import_module(f"foxglove_schemas_protobuf.{name}").DESCRIPTOR)
for file in files.file:
    file.ClearField("source_code_info")
sys.stdout.buffer.write(files.SerializeToString(deterministic=True))
print(len(modules), "schemas,", len(files.file), "files", file=sys.stderr)
"""


def main():
    version = sys.argv[1] if len(sys.argv) > 1 else VERSION
    target = pathlib.Path(__file__).parent / "descriptors.binpb"
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = pathlib.Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{PACKAGE}=={version}"], check=True)
        data = subprocess.run([python, "-c", COLLECT], check=True, stdout=subprocess.PIPE).stdout
    target.write_bytes(data)
    print(f"{PACKAGE} {version}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
