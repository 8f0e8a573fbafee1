"""TensorFlow's C++ loader through the C API, with ctypes and nothing else.

The functions are those of ``tensorflow/c/c_api.h``. String tensors are laid out by hand, since no string function is
exported by every release: ``tensorflow/core/platform/ctstring_internal.h`` from 2.4 on, and before it the
offset table of ``TF_TensorData``'s documentation.
"""

import ctypes
import os
import struct
import time

import _cell
import _describe
import _devices
import _frames

_STRING = 7
_CTSTRING = struct.Struct("<QQQ")
_CTSTRING_SINCE = (2, 4)
_CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()


class _Output(ctypes.Structure):
    _fields_ = [("oper", ctypes.c_void_p), ("index", ctypes.c_int)]


class Failure(Exception):
    """TensorFlow refused, with the code and the text of its status."""

    def __init__(self, code, message):
        Exception.__init__(self, message)
        self.code = code


_P = ctypes.c_void_p
_I = ctypes.c_int
_S = ctypes.c_char_p
_SIGNATURES = {
    "TF_Version": (_S, []),
    "TF_GetAllOpList": (_P, []),
    "TF_DeleteBuffer": (None, [_P]),
    "TF_DeleteTensor": (None, [_P]),
    "TF_NewStatus": (_P, []),
    "TF_GetCode": (_I, [_P]),
    "TF_Message": (_S, [_P]),
    "TF_NewGraph": (_P, []),
    "TF_NewSessionOptions": (_P, []),
    "TF_SetConfig": (None, [_P, _S, ctypes.c_size_t, _P]),
    "TF_NewBuffer": (ctypes.POINTER(_devices.Buffer), []),
    "TF_LoadSessionFromSavedModel": (_P, [_P, _P, _S, ctypes.POINTER(_S), _I, _P, _P, _P]),
    "TF_GraphOperationByName": (_P, [_P, _S]),
    "TF_OperationNumOutputs": (_I, [_P]),
    "TF_OperationOutputType": (_I, [_Output]),
    "TF_AllocateTensor": (_P, [_I, ctypes.POINTER(ctypes.c_int64), _I, ctypes.c_size_t]),
    "TF_TensorData": (_P, [_P]),
    "TF_TensorByteSize": (ctypes.c_size_t, [_P]),
    "TF_TensorType": (_I, [_P]),
    "TF_NumDims": (_I, [_P]),
    "TF_Dim": (ctypes.c_int64, [_P, _I]),
    "TF_DataTypeSize": (ctypes.c_size_t, [_I]),
    "TF_SessionRun": (
        None,
        [_P, _P, ctypes.POINTER(_Output), ctypes.POINTER(_P), _I]
        + [ctypes.POINTER(_Output), ctypes.POINTER(_P), _I, ctypes.POINTER(_P), _I, _P, _P],
    ),
}


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def encode_offset_strings(items):
    """Return the layout of string tensors up to 2.3: u64 offsets, then varint length and bytes of each."""
    offsets, table = [], bytearray()
    for item in items:
        offsets.append(len(table))
        table += _varint(len(item)) + item
    return struct.pack("<%dQ" % len(offsets), *offsets) + bytes(table)


def decode_offset_strings(data, count):
    """Return the elements of a string tensor in the layout up to 2.3."""
    items = []
    for offset in struct.unpack_from("<%dQ" % count, data):
        size, at = _read_varint(data, 8 * count + offset)
        items.append(data[at : at + size])
    return items


def encode_ctstrings(items):
    """Return the 24-byte views of the layout from 2.4 on, and the buffers that they point to."""
    kept = [ctypes.create_string_buffer(item, len(item) or 1) for item in items]
    views = [
        _CTSTRING.pack(len(item) << 2 | 3, ctypes.addressof(buffer), 0)
        for item, buffer in zip(items, kept)
    ]
    return b"".join(views), kept


def decode_ctstrings(address, count):
    """Return the elements of a string tensor in the layout from 2.4 on, read from memory at ``address``."""
    items = []
    for index in range(count):
        here = address + _CTSTRING.size * index
        raw = ctypes.string_at(here, _CTSTRING.size)
        kind = raw[0] & 3
        if kind == 0:
            items.append(raw[1 : 1 + (raw[0] >> 2)])
            continue
        if kind == 2:
            size, offset = struct.unpack_from("<II", raw)
            items.append(ctypes.string_at(here + offset, size >> 2))
            continue
        size, second, third = _CTSTRING.unpack(raw)
        items.append(ctypes.string_at(third if kind == 1 else second, size >> 2))
    return items


class Library(object):
    """The C API of one release.

    Args:
        paths: the shared libraries in the order in which to load them; the last exports the C API.
    """

    def __init__(self, paths):
        for path in paths:
            handle = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(handle, name)
            function.restype = result
            function.argtypes = arguments
            setattr(self, name, function)
        self.handle = handle
        self.version = self.TF_Version().decode("ascii")
        parts = self.version.split(".")
        self.has_ctstrings = (int(parts[0]), int(parts[1])) >= _CTSTRING_SINCE
        # A library builds its ops when somebody first asks for one. Asked here, before any fork, not every cell has to: a
        # fifth of its time. The list starts no thread; a graph, which would do as well, starts two in 1.4.
        self.TF_DeleteBuffer(self.TF_GetAllOpList())

    def checked(self, call, *arguments):
        """Call a function whose last argument is a status; raise ``Failure`` if it says no."""
        status = self.TF_NewStatus()
        result = call(*(arguments + (status,)))
        code = self.TF_GetCode(status)
        if code:
            raise Failure(code, self.TF_Message(status).decode("utf-8", "replace"))
        return result


class _Session(object):
    """One loaded MetaGraph; lives in a cell's process, which ends without freeing anything.

    Args:
        library: the C API.
        path: folder of the model.
        tags: of the MetaGraph.
        place: what the request wishes; see ``_devices``.
    """

    def __init__(self, library, path, tags, place=None):
        self._tf = library
        self._trace = bool(place and place["trace"])
        self.traces = []
        self._graph = library.TF_NewGraph()
        self._kept = []
        encoded = (_S * len(tags))(*[tag.encode("utf-8") for tag in tags])
        self._session = library.checked(
            library.TF_LoadSessionFromSavedModel,
            _options(library, place),
            None,
            os.fsencode(path),
            encoded,
            len(tags),
            self._graph,
            None,
        )

    def _output(self, tensor):
        name, _, index = tensor.partition(":")
        operation = self._tf.TF_GraphOperationByName(self._graph, name.encode("utf-8"))
        count = self._tf.TF_OperationNumOutputs(operation) if operation else 0
        position = int(index or 0)
        if not 0 <= position < count:
            said = "has %d outputs" % count if operation else "is not in the graph"
            raise Failure(3, "tensor '%s' of the signature: node '%s' %s" % (tensor, name, said))
        return _Output(operation, position)

    def _tensor(self, tensor, number):
        count = 1
        for dimension in tensor.shape:
            count *= dimension
        data = tensor.data
        if number == _STRING:
            items = _frames.unpack_strings(data, count)
            if self._tf.has_ctstrings:
                data, kept = encode_ctstrings(items)
                self._kept.append(kept)
            else:
                data = encode_offset_strings(items)
        # 1.4 says 0 for types that it carries all the same, such as bfloat16.
        elif self._tf.TF_DataTypeSize(number) * count not in (0, len(data)):
            raise Failure(
                3,
                "input '%s': %d bytes do not make shape %s"
                % (tensor.name, len(data), tensor.shape),
            )
        dimensions = (ctypes.c_int64 * len(tensor.shape))(*tensor.shape)
        made = self._tf.TF_AllocateTensor(number, dimensions, len(tensor.shape), len(data))
        ctypes.memmove(self._tf.TF_TensorData(made), data, len(data))
        return made

    def _read(self, name, made, names):
        number = self._tf.TF_TensorType(made)
        shape = [self._tf.TF_Dim(made, index) for index in range(self._tf.TF_NumDims(made))]
        count = 1
        for dimension in shape:
            count *= dimension
        address, size = self._tf.TF_TensorData(made), self._tf.TF_TensorByteSize(made)
        if number != _STRING:
            data = ctypes.string_at(address, size) if size else b""
        elif not count:
            data = b""
        elif self._tf.has_ctstrings:
            data = _frames.pack_strings(decode_ctstrings(address, count))
        else:
            data = _frames.pack_strings(
                decode_offset_strings(ctypes.string_at(address, size), count)
            )
        return _frames.Tensor(name, names.get(number, "enum %d" % number), shape, data)

    def run(self, inputs, outputs, dtypes):
        """Feed and fetch by tensor name.

        Args:
            inputs: pairs of a tensor's name in the graph and the ``Tensor`` to feed.
            outputs: pairs of an alias and a tensor's name in the graph.
            dtypes: numbers of TensorFlow's ``DataType`` by name.
        """
        numbers, names = dtypes, {number: name for name, number in dtypes.items()}
        feeds = [self._output(name) for name, _ in inputs]
        fetches = [self._output(name) for _, name in outputs]
        values = [self._tensor(tensor, numbers[tensor.dtype]) for _, tensor in inputs]
        results = (_P * len(fetches))()
        options, metadata = self._traced() if self._trace else (None, None)
        self._tf.checked(
            self._tf.TF_SessionRun,
            self._session,
            options,
            (_Output * len(feeds))(*feeds),
            (_P * len(values))(*values),
            len(values),
            (_Output * len(fetches))(*fetches),
            results,
            len(fetches),
            None,
            0,
            metadata,
        )
        if metadata:
            self.traces.append(metadata.contents.content())
        read = [self._read(alias, made, names) for (alias, _), made in zip(outputs, results)]
        # A child that is held runs thousands of times. Strings stay: the graph may keep what points into them.
        numeric = [m for m, (_, t) in zip(values, inputs) if numbers[t.dtype] != _STRING]
        for made in numeric + list(results):
            self._tf.TF_DeleteTensor(made)
        return read

    def answers(self, sets, outputs, dtypes):
        """Run on some sets of inputs, as `run` takes them; return what became of each, and all outputs."""
        runs, results = [], []
        for inputs in sets:
            try:
                found = self.run(inputs, outputs, dtypes)
            except Failure as failure:
                runs.append(_said(failure))
                continue
            runs.append({"outputs": len(found)})
            results += found
        return runs, results

    def _traced(self):
        """Return the options of a run that is traced, and the buffer for what comes of that."""
        options = _devices.Buffer()
        said = ctypes.create_string_buffer(_devices.SOFTWARE_TRACE, len(_devices.SOFTWARE_TRACE))
        options.data, options.length = ctypes.addressof(said), len(said)
        self._kept.append((options, said))
        return ctypes.addressof(options), self._tf.TF_NewBuffer()


def _options(library, place):
    """Return the options of a session, which has the device that a request wishes for.

    Raises:
        _devices.Missing: it has not.
    """
    options = library.TF_NewSessionOptions()
    if place is None:
        return options
    config = _devices.config_of(place)
    if config is not None:
        library.checked(library.TF_SetConfig, options, config, len(config))
    listed = _devices.session_devices(library.handle, options)
    names = [_devices.short(name.decode("ascii")) for name, _ in listed]
    _devices.demand(place, library.version, names)
    return options


def _said(failure):
    """Return a failure as the controller reads it."""
    code = _CODES[failure.code] if failure.code < len(_CODES) else str(failure.code)
    return {"error": _cell.shortened(str(failure)), "type": code, "types": [code]}


class Backend(object):
    """The C API of one release, loaded; its jobs run in forked children.

    Args:
        configuration: ``libraries`` (paths, in order) and ``dtypes`` (TensorFlow's numbers by name).
    """

    def __init__(self, configuration):
        self._library = Library(configuration["libraries"])
        self._dtypes = configuration["dtypes"]
        self.jobs = {"run": self._run, "hold": self._hold, "describe": self._describe}

    def describe(self):
        """Return what the controller wants to know of this runtime."""
        return {"tensorflow": self._library.version, "threads": len(os.listdir("/proc/self/task"))}

    def _describe(self, request, tensors, reporter):
        """Send what there is to know of the surroundings of a cell."""
        reporter.stage("describe")
        reporter.send({"described": _describe.runtime(self._library.version)})

    def _load(self, request, seconds):
        """Return the session of a request; how long it took is added to ``seconds``."""
        started = time.monotonic()
        session = _Session(self._library, request["model"], request["tags"], request.get("place"))
        seconds["load"] = time.monotonic() - started
        return session

    def _run(self, request, tensors, reporter):
        """Load, and if the request names outputs, run: the job of a cell."""
        seconds = {}
        reporter.stage("load")
        try:
            session = self._load(request, seconds)
        except _devices.Missing as missing:
            return reporter.send({"device_missing": str(missing), "seconds": seconds})
        except Failure as failure:
            return reporter.send(dict(_said(failure), seconds=seconds))
        if not request.get("outputs"):
            return reporter.send({"seconds": seconds})
        reporter.stage("run")
        started = time.monotonic()
        names = request["inputs"]
        feeds = _frames.sets(tensors, [len(names)] * request["feeds"])
        sets = [list(zip(names, feed)) for feed in feeds]
        runs, results = session.answers(sets, request["outputs"], self._dtypes)
        seconds["run"] = time.monotonic() - started
        traces = [_frames.Tensor("", "uint8", (len(data),), data) for data in session.traces]
        return reporter.send(
            {"seconds": seconds, "runs": runs, "traces": len(traces)}, results + traces
        )

    def _hold(self, request, tensors, reporter):
        """Load, and run whenever it is asked: the job of a child that is held."""
        seconds = {}
        reporter.stage("load")
        try:
            session = self._load(request, seconds)
        except _devices.Missing as missing:
            reporter.send({"device_missing": str(missing), "seconds": seconds})
            return
        except Failure as failure:
            reporter.send(dict(_said(failure), seconds=seconds))
            return
        reporter.send({"held": True, "seconds": seconds})
        for asked, given in iter(reporter.receive, None):
            reporter.stage("run")
            started = time.monotonic()
            feeds = _frames.sets(given, [len(names) for names in asked["feeds"]])
            sets = [list(zip(names, feed)) for names, feed in zip(asked["feeds"], feeds)]
            runs, results = session.answers(sets, request["outputs"], self._dtypes)
            took = {"run": time.monotonic() - started}
            reporter.send({"held": True, "seconds": took, "runs": runs}, results)
