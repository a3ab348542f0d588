#!/usr/bin/env bash
# Installs what tests need and pip cannot bring: a Docker daemon, a Redis server and a browser, which the tests start
# themselves, and the command that makes hosts of their own. Does nothing where they are, or where there is no apt-get.
set -euo pipefail

has() { command -v "$1" >/dev/null; }

packages=()
has redis-server || has valkey-server || packages+=(redis-server)
[ -n "${DOCKER_HOST:-}" ] || [ -S /var/run/docker.sock ] || has dockerd || packages+=(docker.io iptables)
{ has chromium && has chromedriver; } || packages+=(chromium chromium-driver fonts-dejavu-core)
has ip || packages+=(iproute2)

if [ ${#packages[@]} -gt 0 ] && has apt-get; then
  as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
