#!/usr/bin/env bash
# Installs the programs that tests start, where it may; elsewhere says what to run and fails.
set -u
missing=()
[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing+=(postgresql)
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
need redis-server redis-server
need nginx nginx
need node nodejs
need python3 python3
need git git
need gcc gcc # the race detector needs cgo
[ ${#missing[@]} -eq 0 ] && exit 0

line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo=sudo; else
    echo "tests need ${missing[*]}; run as root: $line" >&2
    exit 1
  fi
fi
command -v apt-get >/dev/null 2>&1 || { echo "tests need ${missing[*]}: install them with this system's packages" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
# Services must not start by themselves: tests run their own.
$sudo apt-get update -q && $sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" || {
  echo "tests need ${missing[*]}; installing failed; run as root: $line" >&2
  exit 1
}
