"""One forked child for each cell: isolation, limits, and a verdict whatever the child does.

The worker itself gets ready once and runs no op, so it stays single-threaded and can fork. The child inherits
the loaded libraries, writes what it finds to a pipe and ends without clean-up.
"""

import ctypes
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback

import _frames
import _leavings
import _seal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HEAD_OF_LOG = 64 << 10
_TAIL_OF_LOG = 192 << 10
_LONGEST_MESSAGE = 64 << 10
_CHUNK = 1 << 20
_GRACE = 0.25


class Orphaned(Exception):
    """The controller is gone."""


class _Log(object):
    """What a cell printed: its beginning and its end, however much came between."""

    def __init__(self):
        self._head = b""
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data):
        room = _HEAD_OF_LOG - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        extra = len(self._tail) - _TAIL_OF_LOG
        if extra > 0:
            del self._tail[:extra]
            self._dropped += extra

    def text(self):
        gap = b"\n[... %d bytes left out ...]\n" % self._dropped if self._dropped else b""
        return (self._head + gap + bytes(self._tail)).decode("utf-8", "replace")


class Reporter(object):
    """The child's end of its pipes.

    Args:
        descriptor: where its answers go.
        requests: where the requests after the first come from.
    """

    def __init__(self, descriptor, requests):
        self._descriptor = descriptor
        self._requests = requests
        self._frames = _frames.Decoder()

    def stage(self, name):
        """Say which stage begins, so that a crash can be told where it happened."""
        self.send({"begins": name})

    def send(self, header, tensors=()):
        """Send one frame, after all that was printed before it."""
        sys.stdout.flush()
        sys.stderr.flush()
        for piece in _frames.encode(header, tensors):
            view = memoryview(piece)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def receive(self):
        """Return the next request of a child that is held, as ``(header, tensors)``; None if there is none to come."""
        while True:
            frame = self._frames.frame()
            if frame is not None:
                return frame
            data = os.read(self._requests, _CHUNK)
            if not data:
                return None
            self._frames.feed(data)


def _data_bytes():
    """The private writable memory of this process, which RLIMIT_DATA counts, in bytes."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) << 10
    raise OSError("no VmData in /proc/self/status")


def limit_memory(megabytes):
    """Let this process grow by so many megabytes and no more."""
    limit = _data_bytes() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def oom_kills():
    """Return how many processes of this container the kernel has ended for their memory; 0 where nobody counts.

    Docker shows a container its own control group at the root: version 2, else version 1 of the memory controller.
    """
    return _counted("oom_kill", "memory.events", "memory/memory.oom_control")


def refused_processes():
    """Return how many processes and threads this container was refused for the limit on them; 0 where nobody counts."""
    return _counted("max", "pids.events", "pids/pids.events")


def _counted(wanted, *files):
    """Return an event's count in the first of a control group's files that has it."""
    for path in files:
        try:
            with open("/sys/fs/cgroup/" + path) as counted:
                for line in counted:
                    name, _, count = line.partition(" ")
                    if name == wanted:
                        return int(count)
        except OSError:
            continue
    return 0


def _die_first():
    """Have the kernel prefer this process to its worker when memory runs out."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")
    except OSError:
        pass  # a sandbox may forbid it; then the worker may be the one, and the controller finds out


def die_with_parent(parent):
    """Have the kernel kill this process when ``parent`` (a process id) ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def shortened(text):
    """Return a message with its beginning and its end; some repeat all that a model fed to them."""
    extra = len(text) - _LONGEST_MESSAGE
    if extra <= 0:
        return text
    half = _LONGEST_MESSAGE // 2
    return "%s [... %d characters left out ...] %s" % (text[:half], extra, text[-half:])


def said(error):
    """Return an exception as the controller reads it."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    names = [kind.__name__ for kind in type(error).__mro__]
    return {
        "error": shortened(str(error)) or names[0],
        "type": names[0],
        "types": names,
        "trace": shortened("".join(lines)),
    }


def adopt_orphans():
    """Have the kernel give this process whatever a cell leaves running, in whatever session, instead of init."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans():
    """Kill what a cell that is over has left running; a kernel that does not list children leaves it be."""
    if os.getpid() == 1:
        # All others at one blow: who forks faster than it is killed one by one does not get away.
        _send(os.kill, -1)
    children = "/proc/self/task/%d/children" % os.getpid()
    while os.path.exists(children):
        with open(children) as listed:
            pids = [int(pid) for pid in listed.read().split()]
        if not pids:
            return
        for pid in pids:
            _kill(pid)
            os.waitpid(pid, 0)


def _temporary_folder():
    """Return a folder for what a cell leaves in temporary files, as AutoGraph does; None if there is no room."""
    try:
        return tempfile.mkdtemp(prefix="savedmodel-compat-")
    except OSError:
        return None


def _use_temporary_folder(folder):
    if folder is not None:
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = folder


def _run_child(job, request, tensors, reporter, log, parent):
    os.setpgid(0, 0)
    die_with_parent(parent)
    _seal.open_own()
    _die_first()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if request.get("memory_mb"):
        limit_memory(request["memory_mb"])
    try:
        job(request, tensors, reporter)
    except MemoryError:
        reporter.send({"error": "MemoryError: " + traceback.format_exc(), "type": "MemoryError"})
    except BaseException as error:
        reporter.send(said(error))


def _kill(pid):
    """Kill the child and what it started."""
    _send(os.killpg, pid)
    _send(os.kill, pid)


def _send(kill, whom):
    """Send SIGKILL, to nobody if nobody is there."""
    try:
        kill(whom, signal.SIGKILL)
    except ProcessLookupError:
        pass  # the usual case: it has ended, and had started nothing


class _Watch(object):
    """The worker's side of one running child."""

    def __init__(self, pid, requests, results, log, controller):
        self.pid = pid
        self.requests = requests
        self.results = results
        self.log_pipe = log
        self.controller = controller
        self.log = _Log()
        self.frames = _frames.Decoder()
        self.stage = None
        self.answer = None
        self.tensors = []
        self.garbled = None
        self._unsent = memoryview(b"")

    def ask(self, data):
        """Have `follow` send a request, and forget what was answered and printed before."""
        self._unsent = memoryview(data)
        self.answer, self.tensors = None, []
        self.log = _Log()

    def _send_requests(self):
        """Send what the pipe takes of a request; return whether there is more."""
        try:
            self._unsent = self._unsent[os.write(self.requests, self._unsent) :]
        except BrokenPipeError:
            self._unsent = self._unsent[
                :0
            ]  # it has ended, or wants to hear no more; its results will tell
        return len(self._unsent) > 0

    def _take_results(self):
        data = os.read(self.results, _CHUNK)
        self.frames.feed(data)
        try:
            frame = self.frames.frame()
            while frame is not None:
                header, tensors = frame
                if "begins" in header:
                    self.stage = header["begins"]
                else:
                    self.answer, self.tensors = header, tensors
                frame = self.frames.frame()
        except _frames.ProtocolError as error:
            self.garbled = str(error)
            return False
        return bool(data)

    def follow(self, deadline):
        """Read until the child has answered or closed its pipe; return whether it ran out of time."""
        poll = select.poll()
        for descriptor in (self.results, self.log_pipe):
            poll.register(descriptor, select.POLLIN)
        poll.register(self.controller, 0)
        if len(self._unsent):
            poll.register(self.requests, select.POLLOUT)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            for descriptor, _ in poll.poll(left * 1000):
                if descriptor == self.results:
                    if not self._take_results() or self.answer is not None:
                        return False
                elif not self._goes_on(descriptor):
                    poll.unregister(descriptor)

    def _goes_on(self, descriptor):
        """Do what a descriptor beside the results is ready for; return whether there will be more."""
        if descriptor == self.controller:
            raise Orphaned
        if descriptor == self.requests:
            return self._send_requests()
        data = os.read(descriptor, _CHUNK)
        self.log.add(data)
        return bool(data)

    def reap(self, grace):
        """Wait for the child, killing it and its group after ``grace`` seconds; return its wait status."""
        deadline = time.monotonic() + grace
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid or time.monotonic() > deadline:
                break
            time.sleep(0.001)
        if not pid:
            _kill(self.pid)
            _, status = os.waitpid(self.pid, 0)
        _send(os.killpg, self.pid)
        return status

    def drain_log(self):
        """Take what the child has printed so far."""
        os.set_blocking(self.log_pipe, False)
        try:
            data = os.read(self.log_pipe, _CHUNK)
            while data:
                self.log.add(data)
                data = os.read(self.log_pipe, _CHUNK)
        except BlockingIOError:
            pass  # a process that the child started still holds the pipe


class Child(object):
    """``job(request, tensors, reporter)`` in a forked child.

    A child whose answer has ``held`` waits for more: it is followed from one request to its answer, and not between them.

    Args:
        job: the function; it sends its answers through the reporter, and receives through it what it is asked after the
            first.
        request: the header of the request; ``timeout`` in seconds, ``memory_mb`` in megabytes over what is in use.
        tensors: the tensors of the request.
        controller: the descriptor that hangs up when the controller dies.
        to_close: descriptors of the worker that the child must not keep.
    """

    def __init__(self, job, request, tensors, controller, to_close):
        results, results_in = os.pipe()
        log, log_in = os.pipe()
        requests_out, requests = os.pipe()
        parent = os.getpid()
        self._refused_before = refused_processes()
        self._killed_before = oom_kills()
        self._timeout = request["timeout"]
        self._started = time.monotonic()
        self._folder = _temporary_folder()
        pid = os.fork()
        if pid == 0:
            try:
                _use_temporary_folder(self._folder)
                for descriptor in [results, log, requests] + list(to_close):
                    os.close(descriptor)
                reporter = Reporter(results_in, requests_out)
                _run_child(job, request, tensors, reporter, log_in, parent)
            except BaseException:
                # The controller sees a child that ended without an answer, and this text.
                traceback.print_exc()
                os._exit(70)
            os._exit(0)
        for descriptor in (results_in, log_in, requests_out):
            os.close(descriptor)
        os.set_blocking(requests, False)
        self._watch = _Watch(pid, requests, results, log, controller)
        self.is_over = False

    def ask(self, request, tensors):
        """Send a child that is held a request; `hear` gives what it answers."""
        self._timeout = request["timeout"]
        self._started = time.monotonic()
        self._watch.ask(b"".join(_frames.encode(request, tensors)))

    def hear(self):
        """Return what became of the child's request, and end the child unless it is held.

        Returns:
            ``(header, tensors)``: ``answer`` (None if the child gave none), ``stage`` that it had begun, ``signal``,
            ``status``, ``timed_out``, ``out_of_memory``, ``ran_out`` (whether anything was killed for its memory, answer
            or not), ``garbled``, ``seconds``, ``log``, ``held`` (whether the child waits for more).

        Raises:
            Orphaned: the controller is gone; the child has been killed.
        """
        watch = self._watch
        try:
            timed_out = watch.follow(self._started + self._timeout)
        except BaseException:
            self.end()
            raise
        answer = watch.answer
        if not timed_out and answer is not None and answer.get("held") and not watch.garbled:
            # What it had printed before it answered belongs to the answer.
            watch.drain_log()
            return self._header(held=True), watch.tensors
        status = self.end(0 if timed_out else _GRACE)
        return self._header(status=status, timed_out=timed_out), watch.tensors

    def _header(self, status=None, timed_out=False, held=False):
        answered = self._watch.answer is not None
        ended = status is not None
        killed = os.WTERMSIG(status) if ended and os.WIFSIGNALED(status) else None
        ran_out = oom_kills() > self._killed_before
        return {
            "answer": self._watch.answer,
            "stage": self._watch.stage,
            "timed_out": timed_out,
            "signal": None if timed_out or answered else killed,
            "status": os.WEXITSTATUS(status) if ended and os.WIFEXITED(status) else None,
            "out_of_memory": not answered and ran_out,
            "ran_out": ran_out,
            "out_of_processes": not answered and refused_processes() > self._refused_before,
            "garbled": self._watch.garbled,
            "seconds": time.monotonic() - self._started,
            "log": self._watch.log.text(),
            "held": held,
        }

    def end(self, grace=0):
        """End the child, and whatever it has started; return its wait status.

        Args:
            grace: seconds that it has to end by itself.
        """
        watch = self._watch
        self.is_over = True
        try:
            status = watch.reap(grace)
            _end_orphans()
            watch.drain_log()
        except BaseException:
            _kill(watch.pid)
            _end_orphans()
            raise
        else:
            return status
        finally:
            for descriptor in (watch.requests, watch.results, watch.log_pipe):
                os.close(descriptor)
            if self._folder is not None:
                _leavings.remove(self._folder)
