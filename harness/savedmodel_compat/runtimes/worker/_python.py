"""TensorFlow's Python loaders, and exporters, in a runtime that has TensorFlow installed.

The parent imports TensorFlow and runs no op: after one op a forked child hangs.
"""

import importlib.util
import os
import sys
import time

import _cell
import _frames
import numpy
import tensorflow


def _v1(name):
    """Return a name of TensorFlow 1's API, wherever this release keeps it."""
    return getattr(tensorflow.compat.v1, name) if _RELEASE >= (1, 13) else getattr(tensorflow, name)


_RELEASE = tuple(int(part) for part in tensorflow.__version__.split(".")[:2])


def _to_numpy(tensor):
    """Return a wire tensor as an array."""
    if tensor.dtype == "string":
        count = int(numpy.prod(tensor.shape, dtype=numpy.int64))
        array = numpy.empty(count, dtype=object)
        array[:] = _frames.unpack_strings(tensor.data, count)
        return array.reshape(tensor.shape)
    kind = tensorflow.as_dtype(tensor.dtype).as_numpy_dtype
    return numpy.frombuffer(tensor.data, dtype=kind).reshape(tensor.shape)


def _to_bytes(name, item):
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode("utf-8")
    raise TypeError("%r holds a %s, which is no tensor" % (name, type(item).__name__))


def _from_numpy(name, value):
    """Return an array, or what becomes one, as a wire tensor."""
    # numpy would make an S array of bytes, and lose the zero bytes at their end.
    array = numpy.asarray(value, dtype=object if isinstance(value, bytes) else None)
    if array.dtype.kind in "SUO":
        items = [_to_bytes(name, item) for item in array.ravel()]
        return _frames.Tensor(name, "string", array.shape, _frames.pack_strings(items))
    return _frames.Tensor(name, tensorflow.as_dtype(array.dtype).name, array.shape, array.tobytes())


class _V1(object):
    """``tf.compat.v1.saved_model.load`` in a session of its own graph."""

    def __init__(self, path, tags):
        graph = tensorflow.Graph()
        self._session = _v1("Session")(graph=graph)
        with graph.as_default():
            if _RELEASE >= (1, 13):
                tensorflow.compat.v1.saved_model.load(self._session, tags, path)
            else:
                tensorflow.saved_model.loader.load(self._session, tags, path)

    def run(self, request, tensors):
        """Feed and fetch by tensor name, as the signature gives them."""
        feeds = {name: _to_numpy(tensor) for name, tensor in zip(request["inputs"], tensors)}
        aliases, names = zip(*request["outputs"])
        values = self._session.run(list(names), feeds)
        return [_from_numpy(alias, value) for alias, value in zip(aliases, values)]


class _V2(object):
    """``tf.saved_model.load`` and its ``signatures``."""

    def __init__(self, path, tags):
        self._loaded = tensorflow.saved_model.load(path, tags=tags)

    def run(self, request, tensors):
        """Call the signature with its inputs by alias."""
        if request["signature"] not in self._loaded.signatures:
            raise KeyError("signature %r is not among the loaded object's" % request["signature"])
        signature = self._loaded.signatures[request["signature"]]
        # A signature of TF1 names the parts of a sparse input with an underscore; up to 2.3 it does not say.
        structured = signature.structured_input_signature
        taken = structured[1] if structured else {tensor.name for tensor in tensors}
        inputs = {
            tensor.name
            if tensor.name in taken
            else tensor.name.replace("/", "_"): tensorflow.constant(
                _to_numpy(tensor), dtype=tensorflow.as_dtype(tensor.dtype)
            )
            for tensor in tensors
        }
        results = signature(**inputs)
        wanted = [alias for alias, _ in request["outputs"]]
        found = sorted(results)
        if found != sorted(wanted):
            wanted = found  # the controller compares the names
        return [_from_numpy(alias, results[alias].numpy()) for alias in wanted]


_LOADERS = {"v1": _V1, "v2": _V2}


def _exporter(path, function):
    """Return a function of an exporter's file, imported under the file's own name."""
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return getattr(module, function)


def _check(recorded):
    """Refuse what is no recording, in words that help whoever writes the exporter."""
    form = "{signature: {'inputs': {name: array}, 'outputs': {name: array}}}"
    if not isinstance(recorded, dict):
        raise TypeError("the exporter returned %s, not %s" % (type(recorded).__name__, form))
    for signature, sides in recorded.items():
        if not isinstance(sides, dict) or set(sides) != {"inputs", "outputs"}:
            raise TypeError(
                "the exporter's recording of signature %r is not %s" % (signature, form)
            )
        if not sides["outputs"]:
            raise ValueError("the exporter recorded no outputs of signature %r" % signature)


class Backend(object):
    """A TensorFlow that has been imported and nothing more; its jobs run in forked children."""

    def __init__(self, configuration):
        self.jobs = {"run": self._run, "export": self._export}

    def describe(self):
        """Return what the controller wants to know of this runtime."""
        return {"tensorflow": tensorflow.__version__, "threads": len(os.listdir("/proc/self/task"))}

    def _run(self, request, tensors, reporter):
        """Load, and if the request names outputs, run: the job of a cell."""
        seconds = {}
        reporter.stage("load")
        started = time.monotonic()
        loaded = _LOADERS[request["loader"]](request["model"], request["tags"])
        seconds["load"] = time.monotonic() - started
        if not request.get("outputs"):
            return reporter.send({"seconds": seconds})
        reporter.stage("run")
        started = time.monotonic()
        runs, results = [], []
        for feed in _frames.sets(tensors, request["feeds"], len(request["inputs"])):
            try:
                outputs = loaded.run(request, feed)
            except MemoryError:
                raise
            except Exception as error:
                # Whatever this release raises is what it says of these inputs.
                runs.append(_cell.said(error))
                continue
            runs.append({"outputs": len(outputs)})
            results += outputs
        seconds["run"] = time.monotonic() - started
        return reporter.send({"seconds": seconds, "runs": runs}, results)

    def _export(self, request, tensors, reporter):
        """Export into ``request['directory']`` and send what the producer computed, by signature."""
        reporter.stage("export")
        export = _exporter(request["file"], request["function"])
        recorded = export(
            request["directory"],
            strip_default_attrs=request["strip_default_attrs"],
            seed=request["seed"],
        )
        _check(recorded)
        names, sent = [], []
        for signature in sorted(recorded):
            for side in ("inputs", "outputs"):
                for alias in sorted(recorded[signature][side]):
                    names.append([signature, side, alias])
                    sent.append(_from_numpy(alias, recorded[signature][side][alias]))
        reporter.send({"recorded": names}, sent)
