"""What a runtime says of itself and of its machine: all that may change the numbers that it computes.

The functions asked are C++ ones of TensorFlow's own libraries, by their mangled names, so that a runtime without Python answers as
well; whichever a release does not export is None.
"""

import ctypes
import glob
import os
import platform
import re
from typing import Any, Dict, List, Optional, Tuple

_LIBRARY = re.compile(r"libtensorflow_(cc|framework)\.so|_pywrap_tensorflow_(internal|common)\b")
_GIT_VERSION = ("_Z14tf_git_versionv",)
_COMPILER_VERSION = ("_Z19tf_compiler_versionv",)
# tensorflow/core/util/util.cc: whether oneDNN is used, by the environment or by this processor.
_ONEDNN = ("_ZN10tensorflow12IsMKLEnabledEv",)
# tensorflow/core/util/port.cc: before that, whether the build has it.
_HAS_ONEDNN = ("_ZN10tensorflow12IsMklEnabledEv",)
_TF32 = tuple("_ZN%s33tensor_float_32_execution_enabledEv" % n for n in ("10tensorflow", "3tsl"))
_DETERMINISM = tuple("_ZN%s21OpDeterminismRequiredEv" % n for n in ("10tensorflow", "3tsl"))

_SWITCHES = ("TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC")
_FLAGS = re.compile(r"(TF|XLA|OMP|KMP|MKL|DNNL|ONEDNN|NVIDIA|CUBLAS|CUDNN)_")
# What is printed, and not what is computed.
_SILENT = re.compile(r"TF_CPP_")
# Extensions that kernels are chosen by: of x86-64, then of AArch64.
_FEATURES = re.compile(
    r"(sse4_[12]|avx\w*|fma|f16c|amx\w*|asimd\w*|sve\w*|bf16|i8mm|fphp|sme|sme2\w*)$"
)


def runtime(
    release: str, build: Optional[str] = None, compiler: Optional[str] = None
) -> Dict[str, Any]:
    """Return, as plain JSON, what there is to know.

    Args:
        release: of this TensorFlow, as it says itself.
        build: its git version, where Python knows it.
        compiler: what it was compiled with, where Python knows it.
    """
    libraries = _loaded()
    return {
        "tensorflow": {
            "release": release,
            "build": build or _text(libraries, _GIT_VERSION),
            "compiler": compiler or _text(libraries, _COMPILER_VERSION),
        },
        "python": platform.python_version(),
        "platform": _platform(),
        "cpu": _cpu(),
        "driver": [said.decode("utf-8", "replace") for said in of_driver()],
        "onednn": _onednn(libraries),
        "tf32": _truth(libraries, _TF32),
        "determinism": dict(
            {name: os.environ.get(name) for name in _SWITCHES},
            ops=_truth(libraries, _DETERMINISM),
        ),
        "threads": {
            "intra_op": os.environ.get("TF_NUM_INTRAOP_THREADS"),
            "inter_op": os.environ.get("TF_NUM_INTEROP_THREADS"),
            "processors": len(os.sched_getaffinity(0)),
        },
        "flags": {
            name: value
            for name, value in sorted(os.environ.items())
            if _FLAGS.match(name) and not _SILENT.match(name)
        },
    }


def _loaded() -> List[Any]:
    """Return TensorFlow's libraries in this process."""
    paths = set()
    with open("/proc/self/maps") as mapped:
        for line in mapped:
            place = line.rstrip("\n").split(None, 5)[5:]
            if place and _LIBRARY.match(os.path.basename(place[0])):
                paths.add(place[0])
    return [ctypes.CDLL(path) for path in sorted(paths)]


def _call(libraries: List[Any], names: Tuple[str, ...], kind: Any) -> Any:
    for name in names:
        for library in libraries:
            if hasattr(library, name):
                function = getattr(library, name)
                function.restype, function.argtypes = kind, []
                return function()
    return None


def _truth(libraries: List[Any], names: Tuple[str, ...]) -> Optional[bool]:
    found: Optional[bool] = _call(libraries, names, ctypes.c_bool)
    return found


def _text(libraries: List[Any], names: Tuple[str, ...]) -> Optional[str]:
    said: Optional[bytes] = _call(libraries, names, ctypes.c_char_p)
    return said.decode("utf-8", "replace") if said else None


def _onednn(libraries: List[Any]) -> Optional[str]:
    """Return ``on``, ``off`` or ``absent``; None where nobody knows."""
    used = _truth(libraries, _ONEDNN)
    if used is not None:
        return "on" if used else "off"
    built = _truth(libraries, _HAS_ONEDNN)
    if built is None:
        return None
    return "on" if built else "absent"


def _platform() -> str:
    """Return system, machine and C library, whose functions TensorFlow's kernels call."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        libc = None  # another C library, which has no such name
    named = (platform.system(), platform.machine())
    return " ".join(named) + (", " + libc if libc else "")


def _cpu() -> Dict[str, Any]:
    """Return the processor's model and the extensions of it that kernels are chosen by."""
    model: Optional[str] = None
    features: List[str] = []
    with open("/proc/cpuinfo") as listed:
        for line in listed:
            name, _, value = line.partition(":")
            if name.strip() == "model name" and model is None:
                model = value.strip()
            if name.strip() in ("flags", "Features") and not features:
                features = sorted(word for word in value.split() if _FEATURES.match(word))
    return {"model": model, "features": features}


def of_driver() -> List[bytes]:
    """Return what NVIDIA's driver says of itself, then what it says of each of its cards."""
    cards = sorted(glob.glob("/proc/driver/nvidia/gpus/*/information"))
    return [_read(path) for path in ["/proc/driver/nvidia/version"] + cards]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
