"""The image that containers are made from."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import resources
from typing import Any

from smolagents._imports import require
from smolagents.executors.remote.docker.daemon import explained

__all__ = ["DEFAULT_IMAGE", "image_for", "shipped_dockerfile"]

DEFAULT_IMAGE = "jupyter-kernel"
LOG_LINES = 30


def shipped_dockerfile() -> str:
    """The text of the Dockerfile that comes with this package."""
    return resources.files(__package__).joinpath("Dockerfile").read_text("utf-8")


def image_for(
    client: Any,
    name: str,
    *,
    build_new_image: bool,
    dockerfile_content: str | None,
    log: Callable[[str], None],
) -> str:
    """The id of the image `name`, which is built first if that is wanted, or if it is not there and can be.

    Raises:
        RuntimeError: the build failed, with the end of its log; or the image is not there and must not be built.
    """
    docker = require("docker", extra="docker", needed_for="DockerExecutor")
    if not build_new_image:
        try:
            return str(client.images.get(name).id)
        except docker.errors.ImageNotFound:
            if name != DEFAULT_IMAGE and dockerfile_content is None:
                raise RuntimeError(
                    f"The Docker image {name!r} is not there, and build_new_image=False forbids to build it. "
                    f"Fetch it (docker pull {name}), or pass build_new_image=True to build it from the Dockerfile of "
                    "this package or from dockerfile_content."
                ) from None
        except docker.errors.APIError as error:
            raise RuntimeError(f"The Docker image {name!r} cannot be used: {explained(error)}") from error
    return _build(client, name, dockerfile_content or shipped_dockerfile(), log)


def _build(client: Any, name: str, dockerfile: str, log: Callable[[str], None]) -> str:
    docker = require("docker", extra="docker", needed_for="DockerExecutor")
    log(f"Building the Docker image {name} ...")
    try:
        image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True, forcerm=True)
    except docker.errors.BuildError as error:
        said = "".join(str(entry.get("stream") or entry.get("error") or "") for entry in error.build_log)
        tail = "\n".join(said.strip().splitlines()[-LOG_LINES:])
        raise RuntimeError(f"Building the Docker image {name!r} failed: {error.msg}\n{tail}".rstrip()) from error
    except (docker.errors.APIError, TypeError) as error:
        raise RuntimeError(f"Building the Docker image {name!r} failed: {explained(error)}") from error
    return str(image.id)
