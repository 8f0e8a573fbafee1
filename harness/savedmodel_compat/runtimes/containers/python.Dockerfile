# A release's whole environment in /opt/tensorflow, for the python3 of the base.
#
# The context has wheelhouse/: requirements.txt, all that it names, and the pip that installs it.

ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS installed

# What this stage leaves in the engine has no name, and twice the image's size: it is found by this label.
ARG STAGE=installed
LABEL savedmodel-compat.stage=${STAGE}

COPY wheelhouse/ /wheelhouse/

# The base's own pip may not know the wheels' platform tags (CPython 3.6), or not be there. Unpacked, as the
# one for CPython 3.6 can build a source archive only then.
RUN set -eu; \
    python3 -m venv --without-pip /opt/tensorflow; \
    python3 -m zipfile -e /wheelhouse/pip-*.whl /tmp/pip; \
    /opt/tensorflow/bin/python /tmp/pip/pip --isolated install --no-index --no-deps --use-pep517 \
        --find-links /wheelhouse --requirement /wheelhouse/requirements.txt \
        --no-compile --no-cache-dir --disable-pip-version-check --progress-bar off

# The user of a sealed container can write no bytecode. Some packages have files for another Python, which
# do not compile; it is TensorFlow's own that must be there, and TensorFlow that must be found.
RUN set -eu; cd /; python=/opt/tensorflow/bin/python; \
    $python -I -m compileall -q -j 0 /opt/tensorflow/lib > /tmp/compiled || grep -q . /tmp/compiled; \
    $python -I -c 'import importlib.util as i, os; \
path = i.find_spec("tensorflow").origin; os.stat(i.cache_from_source(path))'; \
    find /opt/tensorflow ! -type l ! -perm -o=r -exec chmod a+rX {} +

FROM ${BASE}
COPY --from=installed /opt/tensorflow/ /opt/tensorflow/
