"""TensorFlow's Python loaders, and exporters, in a runtime that has TensorFlow installed.

The parent imports TensorFlow and runs no op: after one op a forked child hangs.
"""

import collections.abc
import contextlib
import functools
import gc
import importlib.util
import os
import sys
import tempfile
import time

import _cell
import _describe
import _devices
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


def _from_numpy(name, value, dtype=None):
    """Return an array, or what becomes one, as a wire tensor.

    The type is the array's own, unless it was one of a type that becomes another with numpy, as the quantised ones do.
    """
    # numpy would make an S array of bytes, and lose the zero bytes at their end.
    array = numpy.asarray(value, dtype=object if isinstance(value, bytes) else None)
    if array.dtype.kind in "SUO":
        items = [_to_bytes(name, item) for item in array.ravel()]
        return _frames.Tensor(name, "string", array.shape, _frames.pack_strings(items))
    name_of_type = (dtype or tensorflow.as_dtype(array.dtype)).base_dtype.name
    return _frames.Tensor(name, name_of_type, array.shape, array.tobytes())


def _session_config(place):
    """Return what a session is configured with: as the request says, and what a device has no kernel for may go elsewhere."""
    if place is None:
        return None
    config = _v1("ConfigProto").FromString(_devices.config_of(place) or b"")
    if place["device"] is not None:
        config.allow_soft_placement = True
    return config


@contextlib.contextmanager
def _on_device(place):
    """Put what is made or called on the device that is wished for, if there is one."""
    if place is None or place["device"] is None:
        yield
        return
    with tensorflow.device("/device:" + place["device"]):
        yield


def _demand(place, names):
    """Refuse a device that is not among those of these names."""
    _devices.demand(place, tensorflow.__version__, [_devices.short(name) for name in names])


def _config():
    """Return the module that lists and divides devices; 2.0 has it under another name."""
    return tensorflow.config if _RELEASE >= (2, 1) else tensorflow.config.experimental


def _use_logical_cpus(count):
    """Divide the CPU in so many devices."""
    if count == 1:
        return
    experimental = tensorflow.config.experimental
    [cpu] = experimental.list_physical_devices("CPU")
    parts = [experimental.VirtualDeviceConfiguration() for _ in range(count)]
    experimental.set_virtual_device_configuration(cpu, parts)


def _eager():
    """Return the context of eager execution; that it can trace has no public name (tensorflow/python/eager/context.py)."""
    from tensorflow.python.eager import context

    return context.context()


def _placed(metadata):
    """Return a serialized ``RunMetadata`` with the steps and, of its graphs, which nodes stand where.

    From 2.1 on eager execution tells no steps, and only the graphs that it has run.
    """
    kept = type(metadata)(step_stats=metadata.step_stats)
    for graph in metadata.partition_graphs:
        nodes = kept.partition_graphs.add().node
        for node in graph.node:
            nodes.add(name=node.name, op=node.op, device=node.device)
    return kept.SerializeToString()


class _V1(object):
    """``tf.compat.v1.saved_model.load`` in a session of its own graph.

    On a device that is wished for, all that it can hold goes there that the model does not put elsewhere.
    """

    def __init__(self, path, tags, place):
        graph = tensorflow.Graph()
        self._trace = bool(place and place["trace"])
        self.traces = []
        self.notes = []
        self._session = _v1("Session")(graph=graph, config=_session_config(place))
        if place is not None:
            _demand(place, [device.name for device in self._session.list_devices()])
        with graph.as_default(), _on_device(place):
            if _RELEASE >= (1, 13):
                tensorflow.compat.v1.saved_model.load(self._session, tags, path)
            else:
                tensorflow.saved_model.loader.load(self._session, tags, path)

    def run(self, request, tensors):
        """Feed and fetch by tensor name, as the signature gives them."""
        feeds = {name: _to_numpy(tensor) for name, tensor in zip(request["inputs"], tensors)}
        aliases, names = zip(*request["outputs"])
        if not self._trace:
            values = self._session.run(list(names), feeds)
        else:
            metadata = _v1("RunMetadata")()
            options = _v1("RunOptions").FromString(_devices.SOFTWARE_TRACE)
            values = self._session.run(list(names), feeds, options, metadata)
            self.traces.append(metadata.SerializeToString())
        types = [self._session.graph.get_tensor_by_name(each).dtype for each in names]
        return [_from_numpy(*each) for each in zip(aliases, values, types)]


def _argument(name, taken):
    """Return what a signature's function calls an input; of TF1's, the parts of a composite one have names of their own."""
    composite = "_component_".join(name.rsplit("/", 1))
    return next((n for n in (name, composite) if n in taken), name.replace("/", "_"))


def _dense(results):
    """Return the dense tensors that results are made of, named as a signature's parts are."""
    found = {}
    for alias, value in results.items():
        if isinstance(value, tensorflow.SparseTensor):
            for part in ("values", "indices", "dense_shape"):
                found[alias + "/" + part] = getattr(value, part)
        elif isinstance(value, tensorflow.RaggedTensor):
            parts = tensorflow.nest.flatten(value, expand_composites=True)
            found.update({alias + "/" + str(at): part for at, part in enumerate(parts)})
        else:
            found[alias] = value
    return found


class _V2(object):
    """``tf.saved_model.load`` and its ``signatures``; both on the device that is wished for."""

    def __init__(self, path, tags, place):
        self._place = place
        self._trace = bool(place and place["trace"])
        self.traces = []
        self.notes = []
        if place is not None:
            _use_logical_cpus(place["cpus"])
            _demand(place, [device.name for device in _config().list_logical_devices()])
        with _on_device(place):
            self._loaded = self._load(path, tags)

    def _load(self, path, tags):
        return tensorflow.saved_model.load(path, tags=tags)

    def run(self, request, tensors):
        """Call the signature with its inputs by alias."""
        with _on_device(self._place):
            call = self._bound(request, tensors)
        if self._trace:
            _eager().enable_run_metadata()
        with _on_device(self._place):
            results = _dense(call())
            results = {alias: (value.numpy(), value.dtype) for alias, value in results.items()}
        if self._trace:
            self.traces.append(_placed(_eager().export_run_metadata()))
        wanted = [alias for alias, _ in request["outputs"]]
        found = sorted(results)
        if found != sorted(wanted):
            wanted = found  # the controller compares the names
        return [_from_numpy(alias, *results[alias]) for alias in wanted]

    def _bound(self, request, tensors):
        """Return what calls the signature on its inputs, which are there when it is called."""
        signature = self._signature(request["signature"])
        structured = signature.structured_input_signature
        # Up to 2.3 only a name that is not public says how a signature of TF1 calls its inputs.
        taken = structured[1] if structured else set(signature._arg_keywords or ())
        return functools.partial(signature, **self._constants(tensors, taken))

    def _signature(self, key):
        signatures = getattr(self._loaded, "signatures", None) or {}
        if key not in signatures:
            raise KeyError("signature %r is not among the loaded object's" % key)
        return signatures[key]

    def _constants(self, tensors, taken):
        return {
            _argument(tensor.name, taken): tensorflow.constant(
                _to_numpy(tensor), dtype=tensorflow.as_dtype(tensor.dtype)
            )
            for tensor in tensors
        }


_LOADERS = {"v1": _V1, "v2": _V2}


def _loaded(request):
    """Return what the loader of a request makes of its model."""
    wanted = (request["model"], request["tags"], request.get("place"))
    if request["loader"] == "keras":
        # It builds upon this module, which is there by now.
        import _keras

        return _keras.load(*wanted, signature=request.get("signature"))
    return _LOADERS[request["loader"]](*wanted)


def _answers(loaded, request, names, feeds):
    """Run on some sets of inputs, whose names in the graph are given; return what became of each, and all outputs."""
    runs, results = [], []
    for inputs, feed in zip(names, feeds):
        try:
            outputs = loaded.run(dict(request, inputs=inputs), feed)
        except MemoryError:
            raise
        except Exception as error:
            # Whatever this release raises is what it says of these inputs.
            runs.append(_cell.said(error))
            continue
        runs.append({"outputs": len(outputs)})
        results += outputs
    return runs, results


class NoSuchFunction(Exception):
    """A file has no function of that name."""


class WrongRecording(Exception):
    """What an exporter returned is no recording."""


def _exporter(path, function):
    """Return a function of an exporter's file, imported under the file's own name."""
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, function, None)):
        raise NoSuchFunction("the file has no function '%s'" % function)
    return getattr(module, function)


def _recordings(recorded):
    """Return what an exporter recorded as ``(tags or None, signature, calls)``, one call after the other.

    It refuses what is no recording, in words that help whoever writes the exporter.
    """
    form = "{signature: {'inputs': {name: array}, 'outputs': {name: array}}}"
    if not isinstance(recorded, dict):
        raise WrongRecording("the exporter returned %s, not %s" % (type(recorded).__name__, form))
    found = []
    for key, said in recorded.items():
        tags, signature = key if isinstance(key, tuple) and len(key) == 2 else (None, key)
        if not isinstance(signature, str) or isinstance(tags, str):
            raise WrongRecording(
                "the exporter recorded %r, which is no signature, nor a pair (tags, signature)"
                % (key,)
            )
        if isinstance(said, tuple):
            raise WrongRecording(
                "the calls of signature %r are in a tuple; several calls are a list" % (key,)
            )
        calls = said if isinstance(said, list) else [said]
        for sides in calls:
            if not isinstance(sides, dict) or set(sides) - {"call"} != {"inputs", "outputs"}:
                raise WrongRecording("what it has of signature %r is not %s" % (key, form))
            for side in ("inputs", "outputs"):
                _check_names(key, side, sides[side])
            if not sides["outputs"]:
                raise WrongRecording("the exporter recorded no outputs of signature %r" % (key,))
        if not calls:
            raise WrongRecording("the exporter recorded no call of signature %r" % (key,))
        found.append((None if tags is None else sorted(map(str, tags)), signature, calls))
    return sorted(found, key=lambda each: (each[0] or [], each[1]))


def _check_names(signature, side, arrays):
    """Refuse one side of a call that has no names."""
    is_named = isinstance(arrays, collections.abc.Mapping)
    if not is_named or not all(isinstance(name, str) for name in arrays):
        raise WrongRecording("the %s of signature %r are no dict by name" % (side, signature))


def _recorded(signature, side, alias, value):
    """Return what an exporter recorded under a name as a wire tensor."""
    try:
        return _from_numpy(alias, value)
    except (TypeError, ValueError, NotImplementedError) as error:
        # The last is of tensors of a graph, and not the exporter's word that it cannot export.
        words = (side, alias, signature, error)
        raise WrongRecording("%s %r of signature %r: %s" % words) from error


def _export(request):
    """Run the exporter of a request; return what it recorded."""
    export = _exporter(request["file"], request["function"])
    return export(
        request["directory"],
        strip_default_attrs=request["strip_default_attrs"],
        seed=request["seed"],
    )


class _Live(object):
    """What an exporter saved, as it was before: the function that it gives as ``call``."""

    def __init__(self, request):
        made = tempfile.mkdtemp()
        recorded = _export(dict(request, directory=os.path.join(made, "model")))
        self._call = None
        for tags, signature, calls in _recordings(recorded):
            if signature == request["signature"] and tags in (None, sorted(request["tags"])):
                self._call = calls[0].get("call")
        if self._call is None:
            raise TypeError("the exporter gives no 'call' of %r" % request["signature"])

    def run(self, request, tensors):
        """Call it with arrays by alias; it returns the like."""
        outputs = self._call({tensor.name: _to_numpy(tensor) for tensor in tensors})
        return [_from_numpy(alias, outputs[alias]) for alias in sorted(outputs)]


class Backend(object):
    """A TensorFlow that has been imported and nothing more; its jobs run in forked children."""

    def __init__(self, configuration):
        self.jobs = {
            "run": self._run,
            "hold": self._hold,
            "export": self._export,
            "call": self._call,
            "describe": self._describe,
        }
        # What TensorFlow's import has made is nobody's garbage. A child's collector would look at all of it, and have
        # every page that it lies on copied: that took half of a cell's time. CPython 3.6 and older cannot leave it out.
        if hasattr(gc, "freeze"):
            gc.collect()
            gc.freeze()

    def describe(self):
        """Return what the controller wants to know of this runtime."""
        return {"tensorflow": tensorflow.__version__, "threads": len(os.listdir("/proc/self/task"))}

    def _describe(self, request, tensors, reporter):
        """Send what there is to know of the surroundings of a cell."""
        reporter.stage("describe")
        known = tensorflow.version if _RELEASE >= (1, 13) else tensorflow
        described = _describe.runtime(
            tensorflow.__version__, known.GIT_VERSION, known.COMPILER_VERSION
        )
        reporter.send({"described": described})

    def _run(self, request, tensors, reporter):
        """Load, and if the request names outputs, run: the job of a cell."""
        seconds = {}
        reporter.stage("load")
        started = time.monotonic()
        try:
            loaded = _loaded(request)
        except _devices.Missing as missing:
            return reporter.send({"device_missing": str(missing), "seconds": seconds})
        seconds["load"] = time.monotonic() - started
        if not request.get("outputs"):
            return reporter.send({"seconds": seconds})
        reporter.stage("run")
        started = time.monotonic()
        names = request["inputs"]
        feeds = _frames.sets(tensors, [len(names)] * request["feeds"])
        runs, results = _answers(loaded, request, [names] * len(feeds), feeds)
        seconds["run"] = time.monotonic() - started
        traces = [_frames.Tensor("", "uint8", (len(data),), data) for data in loaded.traces]
        return reporter.send(
            {
                "seconds": seconds,
                "runs": runs,
                "traces": len(traces),
                "notes": list(dict.fromkeys(loaded.notes)),
            },
            results + traces,
        )

    def _hold(self, request, tensors, reporter):
        """Load, and run whenever it is asked: the job of a child that is held."""
        reporter.stage("load")
        started = time.monotonic()
        try:
            loaded = _Live(request) if "function" in request else _loaded(request)
        except _devices.Missing as missing:
            reporter.send({"device_missing": str(missing), "seconds": {}})
            return
        reporter.send({"held": True, "seconds": {"load": time.monotonic() - started}})
        for asked, given in iter(reporter.receive, None):
            reporter.stage("run")
            started = time.monotonic()
            feeds = _frames.sets(given, [len(names) for names in asked["feeds"]])
            runs, results = _answers(loaded, request, asked["feeds"], feeds)
            took = {"run": time.monotonic() - started}
            reporter.send({"held": True, "seconds": took, "runs": runs}, results)

    def _export(self, request, tensors, reporter):
        """Export into ``request['directory']`` and send what the producer computed, by signature."""
        reporter.stage("export")
        recorded = _export(request)
        names, sent = [], []
        for tags, signature, calls in _recordings(recorded):
            for at, sides in enumerate(calls):
                for side in ("inputs", "outputs"):
                    # A call without inputs is a call all the same.
                    names.append([tags, signature, at, side, None])
                    for alias in sorted(sides[side]):
                        names.append([tags, signature, at, side, alias])
                        sent.append(_recorded(signature, side, alias, sides[side][alias]))
                if "call" in sides:
                    names.append([tags, signature, at, "call", None])
        reporter.send({"recorded": names}, sent)

    def _call(self, request, tensors, reporter):
        """Call a function of a file and send the arrays that it returns by name."""
        reporter.stage("call")
        called = _exporter(request["file"], request["function"])(**request["arguments"])
        if not isinstance(called, dict):
            raise TypeError(
                "%s returned %s, not a dict of arrays by name"
                % (request["function"], type(called).__name__)
            )
        unnamed = [name for name in called if not isinstance(name, str)]
        if unnamed:
            raise TypeError(
                "%s returned a dict with the key %r, which is no string: arrays go by names"
                % (request["function"], unnamed[0])
            )
        reporter.send({"called": True}, [_from_numpy(n, called[n]) for n in sorted(called)])
