#!/usr/bin/env bash
# Installs what tests need and pip cannot bring: a Docker daemon, a Redis server and a browser, which the tests start
# themselves, and the command that makes hosts of their own. Does nothing where they are, or where there is no apt-get.
set -euo pipefail

if ! command -v redis-server >/dev/null && ! command -v valkey-server >/dev/null && command -v apt-get >/dev/null; then
  as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends redis-server >/dev/null
fi

if [ -z "${DOCKER_HOST:-}" ] && [ ! -S /var/run/docker.sock ] && ! command -v dockerd >/dev/null \
  && command -v apt-get >/dev/null; then
  as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
fi

if ! { command -v chromium >/dev/null && command -v chromedriver >/dev/null; } && command -v apt-get >/dev/null; then
  as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends \
    chromium chromium-driver fonts-dejavu-core >/dev/null
fi

if ! command -v ip >/dev/null && command -v apt-get >/dev/null; then
  as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends iproute2 >/dev/null
fi
