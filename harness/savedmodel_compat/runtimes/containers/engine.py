"""The seam to the Docker engine: with ``connection.py``, all that imports the Docker SDK.

Whatever the engine or the way to it does wrong comes out as an `EngineError`. Questions are asked again, a few times, where
nobody is there to answer; orders that may have been carried out are not. Who is there and says nothing is waited for once.
"""

from __future__ import annotations

import logging
import queue
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, TypeVar

from savedmodel_compat.errors import EngineError
from savedmodel_compat.runtimes import processes
from savedmodel_compat.runtimes.containers.facts import Facts, Image, State, Volume
from savedmodel_compat.runtimes.containers.stream import Stream
from savedmodel_compat.runtimes.labels import STAGE

ANSWER_SECONDS = 120.0
"""How long a question or an order may take, unless nobody answered before."""

_T = TypeVar("_T")
_LOGGER = logging.getLogger("savedmodel_compat")
_PAUSES = (0.5, 1.0, 2.0, 4.0)
_AFTER_SILENCE_SECONDS = 10.0
_LOCAL_HOSTS = ("unix://", "http+unix://", "npipe://")
_END_LINES = 12
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LIMITS = {"memory": "MemoryLimit", "processes": "PidsLimit", "processors": "CpuCfsQuota"}
"""What the engine calls its being able to limit something, which takes the kernel's control groups."""


class Engine:
    """A Docker engine, wherever the user's Docker settings say that it is.

    It may be used from several threads.

    Args:
        address: as DOCKER_HOST has it.
        open_client: gives the SDK's low-level client, whose questions may take some ``seconds``; called for as many as are in
            use at a time.
    """

    def __init__(self, address: str, open_client: Callable[..., Any]) -> None:
        self.address = address
        self._open_client = open_client
        # A client is one conversation; each is used by one thread at a time, and kept for the next.
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Whoever has never answered is not waited for.
        self._gone = True
        self._silent = False

    @property
    def is_near(self) -> bool:
        """Whether its address is of this machine; that it sees the same files is another matter."""
        return self.address.startswith(_LOCAL_HOSTS)

    def demand(self) -> None:
        """Wait, for a few seconds at most, until the engine answers.

        Raises:
            EngineError: it does not.
        """
        self._ask("answer", lambda client: client.ping())

    def facts(self) -> Facts:
        """Ask what the engine and its machine are."""
        said = self._ask("tell what it is", lambda client: client.info())
        return Facts(
            version=said.get("ServerVersion", ""),
            processors=int(said.get("NCPU") or 1),
            memory_bytes=int(said.get("MemTotal") or 0),
            security=tuple(said.get("SecurityOptions") or ()),
            machine=said.get("Architecture", ""),
            unlimited=tuple(what for what, word in _LIMITS.items() if said.get(word) is False),
        )

    def image(self, name: str) -> Image | None:
        """Return the image that a name, tag, digest or id means there; None if the engine has none."""

        def inspect(client: Any) -> Image | None:
            from docker.errors import ImageNotFound

            try:
                return _image(name, client.inspect_image(name))
            except ImageNotFound:
                return None

        return self._ask(f"look for the image {name}", inspect)

    def pull(self, name: str, progress: Callable[[int, int | None, str], None] | None) -> Image:
        """Fetch an image from its registry.

        Args:
            name: with a tag or digest; without, ``latest``.
            progress: told the bytes that have come, and of how many that are known by now.

        Raises:
            EngineError: the registry does not answer, or does not have it.
        """

        def fetch(client: Any) -> None:
            whole = name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
            layers: dict[str, tuple[int, int]] = {}
            problem = None
            # To the end even after an error: only then is the connection given back.
            for line in client.pull(whole, stream=True, decode=True):
                problem = problem or line.get("error")
                sizes = line.get("progressDetail") or {}
                if line.get("status") == "Downloading" and sizes.get("total"):
                    layers[line["id"]] = (sizes["current"], sizes["total"])
                    if progress is not None:
                        done, total = map(sum, zip(*layers.values(), strict=True))
                        progress(done, total, name)
            if problem is not None:
                said = f"the image {name} could not be pulled: {problem}"
                raise EngineError(said, hint=_OTHER_IMAGE)

        processes.wait_for(lambda: self._order(f"pull the image {name}", fetch, hint=_OTHER_IMAGE))
        found = self.image(name)
        if found is None:
            raise EngineError(f"the image {name} was pulled and is not there", hint=_OTHER_IMAGE)
        return found

    def build(
        self,
        context: Iterator[bytes],
        *,
        name: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        printed: list[str],
    ) -> Image:
        """Build an image without network.

        Args:
            context: a tar with a Dockerfile at its root.
            name: the tag that it gets.
            arguments: of the build.
            labels: that it gets.
            printed: gets what the build prints, line by line.

        Raises:
            EngineError: a step failed; with what it printed.
        """

        def make(client: Any) -> None:
            stream = client.build(
                fileobj=context,
                custom_context=True,
                tag=name,
                buildargs=dict(arguments),
                labels=dict(labels),
                network_mode="none",
                use_config_proxy=False,
                rm=True,
                forcerm=True,
                decode=True,
            )
            problem = False
            for line in stream:
                text = line.get("stream") or line.get("error") or ""
                printed.extend(_COLOUR.sub("", text).splitlines())
                problem = problem or "error" in line
            if problem:
                raise EngineError(f"the image {name} could not be built:\n{_end_of(printed)}")

        try:
            processes.wait_for(lambda: self._order(f"build the image {name}", make))
        finally:
            # An earlier stage has no name, and nothing else would ever remove it.
            for stage in self.images(f"{STAGE}={arguments.get('STAGE', '')}"):
                self.remove_image(stage.id)
        found = self.image(name)
        if found is None:
            raise EngineError(f"the image {name} was built and is not there:\n{_end_of(printed)}")
        return found

    def import_empty(self, name: str, labels: Mapping[str, str]) -> Image:
        """Make an image of nothing, for containers whose start is all that is wanted to be known."""
        nothing = b"\0" * 10240
        changes = [f'LABEL "{key}"="{value}"' for key, value in labels.items()]

        def take(client: Any) -> None:
            client.import_image_from_data(nothing, repository=name, tag="latest", changes=changes)

        self._order(f"make the image {name}", take)
        found = self.image(name)
        if found is None:
            raise EngineError(f"the image {name} was made and is not there")
        return found

    def images(self, label: str) -> list[Image]:
        """Return the images that have a label, ``key`` or ``key=value``."""

        def look(client: Any) -> list[Image]:
            rows = client.images(filters={"label": label})
            return [
                Image(
                    name=next(iter(row.get("RepoTags") or ()), row["Id"]),
                    id=row["Id"],
                    digest=next(iter(row.get("RepoDigests") or ()), None),
                    bytes=int(row.get("Size") or 0),
                    labels=row.get("Labels") or {},
                    tags=tuple(row.get("RepoTags") or ()),
                )
                for row in rows
            ]

        return self._ask("list its images", look)

    def remove_image(self, image: str) -> None:
        """Remove an image, or the one name of it that is given; that it is not there is no error."""
        self._order(
            f"remove the image {image}", lambda client: _gone_or(client.remove_image, image)
        )

    def create(self, settings: Mapping[str, Any], host: Mapping[str, Any]) -> str:
        """Create a container and return its id.

        Args:
            settings: the SDK's, without the host's part.
            host: the host's part.

        Raises:
            EngineError: the engine refuses it, with its own words.
        """

        def make(client: Any) -> str:
            configuration = client.create_host_config(**host)
            # What the user's Docker settings say of proxies may hold passwords.
            made = client.create_container(
                **settings, host_config=configuration, use_config_proxy=False
            )
            return str(made["Id"])

        return self._order(f"create a container of {settings.get('image')}", make)

    def attach(self, container: str) -> Stream:
        """Connect to the standard streams of a container that is not started yet."""
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        return self._order(
            "attach to a container",
            lambda client: Stream(client.attach_socket(container, params=wanted)),
        )

    def start(self, container: str) -> None:
        """Start a container.

        Raises:
            EngineError: its first process cannot be started, or the engine lacks what it asks for.
        """
        self._order("start a container", lambda client: client.start(container))

    def state(self, container: str) -> State | None:
        """Return what a container is doing or how it ended; None if it is not there."""

        def inspect(client: Any) -> State | None:
            from docker.errors import NotFound

            try:
                said = client.inspect_container(container)
            except NotFound:
                return None
            state = said["State"]
            return State(
                running=bool(state.get("Running")),
                paused=bool(state.get("Paused")),
                is_unstarted=state.get("Status") == "created",
                exit_code=int(state.get("ExitCode") or 0),
                out_of_memory=bool(state.get("OOMKilled")),
                error=state.get("Error") or "",
                labels=said["Config"].get("Labels") or {},
                created=said.get("Created", ""),
            )

        return self._ask("tell what became of a container", inspect)

    def containers(self, label: str) -> list[str]:
        """Return the ids of all containers that have a label, running or not."""
        return self._ask(
            "list its containers",
            lambda client: [
                str(row["Id"]) for row in client.containers(all=True, filters={"label": label})
            ],
        )

    def kill(self, container: str) -> None:
        """End the processes of a container; that it is not running is no error."""
        self._order("kill a container", lambda client: _gone_or(client.kill, container))

    def remove(self, container: str) -> None:
        """End and remove a container with its anonymous volumes; that it is not there is no error."""

        def remove(client: Any) -> None:
            _gone_or(client.remove_container, container, force=True, v=True)

        self._order("remove a container", remove)

    def put(self, container: str, folder: str, tar: IO[bytes] | Iterator[bytes]) -> None:
        """Unpack a tar into a folder of a container, which need not be started."""

        def write(client: Any) -> None:
            if not client.put_archive(container, folder, tar):
                raise EngineError(f"the engine at {self.address} did not take files for {folder}")

        self._order(f"copy files to {folder} of a container", write)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a volume."""
        self._order(
            f"create the volume {name}",
            lambda client: client.create_volume(name=name, labels=dict(labels)),
        )

    def volumes(self, label: str) -> list[Volume]:
        """Return the volumes that have a label."""

        def look(client: Any) -> list[Volume]:
            rows = client.volumes(filters={"label": label}).get("Volumes") or ()
            return [
                Volume(
                    name=row["Name"],
                    labels=row.get("Labels") or {},
                    created=row.get("CreatedAt", ""),
                )
                for row in rows
            ]

        return self._ask("list its volumes", look)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; that it is not there is no error."""
        self._order(
            f"remove the volume {name}", lambda client: _gone_or(client.remove_volume, name)
        )

    def close(self) -> None:
        """Hang up; a later question opens a new connection."""
        while (client := self._idle_client()) is not None:
            client.close()

    def _idle_client(self) -> Any:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return None

    def _ask(self, what: str, question: Callable[[Any], _T]) -> _T:
        """Ask something that changes nothing, again where nobody answers."""
        pauses = () if self._gone else _PAUSES
        for number, pause in enumerate(pauses, start=1):
            try:
                return self._order(what, question)
            except _NoAnswerError as error:
                if error.is_silence:
                    break
                _LOGGER.warning(
                    "the Docker engine at %s does not answer (%s); asking again in %.1f s, %d of %d",
                    self.address,
                    error.why,
                    pause,
                    number,
                    len(pauses),
                )
                time.sleep(pause)
        try:
            return self._order(what, question)
        except _NoAnswerError:
            # Whoever asks next is not to wait as long for nothing.
            self._gone = True
            raise

    def _order(self, what: str, do: Callable[[Any], _T], *, hint: str | None = None) -> _T:
        """Have something done, and put every failure into words."""
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        client = None
        seconds = _AFTER_SILENCE_SECONDS if self._silent else ANSWER_SECONDS
        try:
            client = self._idle_client() or self._open_client(seconds=seconds)
            client.timeout = seconds
            done = do(client)
        except APIError as error:
            if client is not None:
                self._idle.put(client)
            said = (error.explanation or str(error)).strip()
            raise EngineError(
                f"the Docker engine at {self.address} could not {what}: {said}", hint=hint
            ) from error
        except (RequestException, HTTPError, DockerException, OSError) as error:
            if client is not None:
                client.close()
            # The connections of the others lead nowhere either.
            self.close()
            no_answer = _NoAnswerError(self.address, what, error)
            self._silent = no_answer.is_silence
            raise no_answer from error
        except BaseException:
            if client is not None:
                client.close()
            raise
        self._idle.put(client)
        self._gone = self._silent = False
        return done


class _NoAnswerError(EngineError):
    """Nobody answered at the engine's address."""

    def __init__(self, address: str, what: str, error: BaseException) -> None:
        self.why = _innermost(error)
        self.is_silence = _is_silence(error)
        super().__init__(
            f"the Docker engine at {address} does not answer, and was to {what}: {self.why}",
            hint=_no_answer_hint(self.why),
        )


_OTHER_IMAGE = (
    "see that the registry can be reached and the name is right, or leave the image out of the "
    "configuration to have one built from TensorFlow's wheel"
)


def _image(name: str, said: Mapping[str, Any]) -> Image:
    repository = name.partition("@")[0].rpartition(":")[0] or name
    digests = said.get("RepoDigests") or []
    own = [digest for digest in digests if digest.startswith(f"{repository}@")]
    return Image(
        name=name,
        id=said["Id"],
        digest=next(iter([*own, *digests]), None),
        bytes=int(said.get("Size") or 0),
        labels=(said.get("Config") or {}).get("Labels") or {},
        created=said.get("Created", ""),
        tags=tuple(said.get("RepoTags") or ()),
        volumes=tuple((said.get("Config") or {}).get("Volumes") or ()),
    )


def _end_of(printed: list[str]) -> str:
    """Return the last lines of what a build printed."""
    return "\n".join([line for line in printed if line.strip()][-_END_LINES:])


def _gone_or(do: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Do something to what may be gone already, or be going just now."""
    from docker.errors import APIError, NotFound

    try:
        do(*arguments, **options)
    except NotFound:
        return
    except APIError as error:
        said = error.explanation or ""
        if "is not running" not in said and "already in progress" not in said:
            raise


def _is_silence(error: BaseException | None) -> bool:
    """Tell whether somebody was there and did not answer in time."""
    from requests.exceptions import Timeout

    while error is not None and not isinstance(error, Timeout | TimeoutError):
        error = error.__cause__ or error.__context__
    return error is not None


def _innermost(error: BaseException) -> str:
    """Return what lies behind the layers of libraries: the operating system's words, if it spoke."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def _no_answer_hint(why: str) -> str:
    if "Permission denied" in why:
        return "your user may not use the engine's socket: see Docker's post-installation steps"
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return "DOCKER_CERT_PATH, or the context, has to name the ca.pem of that engine's authority"
    return (
        "start it (`docker info` shows whether it answers), set DOCKER_HOST, or use --provider "
        "wheel, which needs no engine"
    )
