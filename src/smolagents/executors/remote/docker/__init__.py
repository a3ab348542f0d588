"""Docker containers as a place to run code in."""

from smolagents.executors.remote.docker.executor import DockerExecutor

__all__ = ["DockerExecutor"]
