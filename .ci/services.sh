#!/usr/bin/env bash
# Installs the services that tests need and that pip cannot bring: a Docker daemon, which the tests start themselves
# where none runs. Does nothing where they are, or where there is no apt-get.
set -euo pipefail

if [ -z "${DOCKER_HOST:-}" ] && [ ! -S /var/run/docker.sock ] && ! command -v dockerd >/dev/null \
  && command -v apt-get >/dev/null; then
  as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
fi
