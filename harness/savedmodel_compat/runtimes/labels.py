"""The labels of what is made in a Docker engine; every one of our images has `RECIPE`, every container and volume `RUN`."""

from __future__ import annotations

RECIPE = "savedmodel-compat.recipe"
"""The digest of all that made an image."""
RELEASE = "savedmodel-compat.release"
"""The TensorFlow release in an image."""
KIND = "savedmodel-compat.kind"
"""What an image is for: ``native`` or ``python``."""
BASE = "savedmodel-compat.base"
"""The image that another was built upon, by digest."""
RUN = "savedmodel-compat.run"
"""The run that a container or volume belongs to."""
OWNER = "savedmodel-compat.owner"
"""The process that made it."""
STAGE = "savedmodel-compat.stage"
"""The recipe of the image for which an earlier stage of a build was made."""
