"""What of TensorFlow there is in an image: its libraries, its ops, and the GPUs that it sees.

The parent imports and loads nothing of it; the children do.
"""

import ctypes
import glob
import importlib.util
import os
import sys

import _describe
import _devices
import _frames

_API = ("libtensorflow_cc.so*", "python/_pywrap_tensorflow_internal.so")
_FRAMEWORK = "libtensorflow_framework.so*"


def _packages():
    """Return the folders of TensorFlow, without importing it; 1.15 to 2.1 have two."""
    found = []
    for name in ("tensorflow", "tensorflow_core"):
        spec = importlib.util.find_spec(name)
        if spec is not None:
            found += list(spec.submodule_search_locations or [])
    return found


def _libraries():
    """Return the libraries of the C API in load order; what else they need they find by themselves."""
    for pattern in _API:
        for package in _packages():
            api = sorted(glob.glob(os.path.join(package, pattern)), key=len)
            if api:
                framework = sorted(glob.glob(os.path.join(package, _FRAMEWORK)), key=len)
                return framework[-1:] + api[-1:]
    return []


def _loaded(paths):
    for path in paths:
        handle = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    return handle


class Backend(object):
    """An image; its jobs run in forked children."""

    def __init__(self, configuration):
        self._paths = _libraries()
        self.jobs = {"describe": self._describe, "gpus": self._gpus}

    def describe(self):
        """Return what the image has, as far as its files tell."""
        return {
            "tensorflow": "",
            "packages": _packages(),
            "libraries": self._paths,
            "python": sys.executable,
            "python_version": "%d.%d.%d" % sys.version_info[:3],
        }

    def _describe(self, request, tensors, reporter):
        """Send the release and, as a tensor, the serialized ``OpList``."""
        reporter.stage("describe")
        library = _loaded(self._paths)
        library.TF_Version.restype = ctypes.c_char_p
        library.TF_GetAllOpList.restype = ctypes.POINTER(_devices.Buffer)
        data = library.TF_GetAllOpList().contents.content()
        sent = [
            _frames.Tensor("ops", "uint8", (len(data),), data),
            _frames.Tensor("release", "string", (), _frames.pack_strings([library.TF_Version()])),
        ]
        reporter.send({"runs": [{"outputs": 2}]}, sent)

    def _gpus(self, request, tensors, reporter):
        """Send, as strings, the names of the GPUs that TensorFlow sees, and what the driver says of itself and of them."""
        reporter.stage("describe")
        listed = _devices.session_devices(_loaded(self._paths))
        seen = [name for name, kind in listed if kind == b"GPU"]
        said = _describe.of_driver()
        sent = [
            _frames.Tensor(name, "string", (len(items),), _frames.pack_strings(items))
            for name, items in (("seen", seen), ("driver", said))
        ]
        reporter.send({"runs": [{"outputs": 2}]}, sent)
