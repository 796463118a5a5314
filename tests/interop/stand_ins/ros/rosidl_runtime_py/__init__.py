import os
import tempfile

from messages import DEFINITIONS


def get_interface_path(interface_name):
    path = os.path.join(tempfile.mkdtemp(), "file.msg")
    with open(path, "w") as file:
        file.write(DEFINITIONS[interface_name])
    return path
