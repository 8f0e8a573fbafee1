"""A worker: gets one runtime ready, then answers requests, each in a forked child.

``python -I worker KIND`` with KIND ``native``, ``python`` or ``image`` (a module of this folder named ``_KIND``). The first frame
on standard input configures it, and says with ``contained`` whether all around it is there for it alone; every later one is a
cell. End of input ends it.
"""

import os
import sys
import time
import traceback

sys.dont_write_bytecode = True

import _cell  # noqa: E402
import _frames  # noqa: E402
import _leavings  # noqa: E402
import _seal  # noqa: E402

_CHUNK = 1 << 20


class _Controller(object):
    """The two private descriptors of the protocol; 0 and 1 are given away before anything can print."""

    def __init__(self):
        self.requests = os.dup(0)
        self.answers = os.dup(1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.close(null)
        self._frames = _frames.Decoder()

    def receive(self):
        """Return the next frame, or None at the end of input."""
        while True:
            frame = self._frames.frame()
            if frame is not None:
                return frame
            data = os.read(self.requests, _CHUNK)
            if not data:
                return None
            self._frames.feed(data)

    def send(self, header, tensors=()):
        """Send one frame."""
        for piece in _frames.encode(header, tensors):
            view = memoryview(piece)
            while view:
                view = view[os.write(self.answers, view) :]


def _backend(kind, configuration):
    """Return the backend, ready: it has ``describe()`` and, by operation, the jobs of its cells."""
    if kind == "native":
        import _native

        return _native.Backend(configuration)
    if kind == "image":
        import _image

        return _image.Backend(configuration)
    import _python

    return _python.Backend(configuration)


def _elsewhere(mounted):
    """Return the places that do not show the folders that the controller means, whose device and inode are given."""
    found = []
    for place, identity in mounted.items():
        try:
            status = os.stat(place)
        except OSError:
            found.append(place)
            continue
        if [status.st_dev, status.st_ino] != identity:
            found.append(place)
    return found


def main(kind):
    """Serve one controller until it hangs up; return the exit status."""
    _cell.adopt_orphans()
    controller = _Controller()
    hello = controller.receive()
    if hello is None:
        return 0
    started = time.monotonic()
    contained = hello[0].get("contained", False)
    # Before the worker adds a filter of its own: it is the engine's that is asked about.
    seal = _seal.read()
    elsewhere = _elsewhere(hello[0].get("mounted", {}))
    try:
        if contained:
            _seal.close()
        backend = _backend(kind, hello[0])
        ready = backend.describe()
    except BaseException as error:  # the controller tells the user why this runtime does not start
        controller.send(
            {"error": str(error), "type": type(error).__name__, "trace": traceback.format_exc()}
        )
        return 1
    ready["seal"] = seal
    ready["elsewhere"] = elsewhere
    ready["seconds"] = time.monotonic() - started
    controller.send(ready)
    try:
        _serve(controller, backend, contained)
    except _cell.Orphaned:
        pass  # there is nobody to answer
    return 0


def _serve(controller, backend, contained):
    """Answer requests until the controller hangs up."""
    child = None
    try:
        while True:
            frame = controller.receive()
            if frame is None:
                return
            request, tensors = frame
            if request["op"] == "feed":
                child.ask(request, tensors)
            else:
                if child is not None:
                    child.end()
                    child = None
                if request["op"] == "drop":
                    controller.send({})
                    continue
                child = _cell.Child(
                    backend.jobs[request["op"]],
                    request,
                    tensors,
                    controller.requests,
                    [controller.requests, controller.answers],
                )
            verdict, outputs = child.hear()
            if child.is_over:
                child = None
                if contained:
                    _leavings.sweep()
            controller.send(verdict, outputs)
    finally:
        if child is not None and not child.is_over:
            child.end()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(0)
