#!/usr/bin/env bash
# Fetches the Prometheus of newer Debian suites (2.53 from trixie, 3.5 from sid when this was written) into a folder, without
# installing anything, and prints the variable that makes the tests use them:
#
#     eval "$(tools/newer-prometheus.sh /tmp/prometheus)" && npx vitest run packages/coordinator/src/real-prometheus.test.ts
#
# Needs apt-get and dpkg, and the archive's keyring, as Debian and Ubuntu have them.
set -euo pipefail

mkdir -p "$1"
directory=$(cd "$1" && pwd)
mkdir -p "$directory"/{lists/partial,cache/archives/partial}
paths=()
for suite in trixie sid; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" >"$directory/$suite.list"
  options=(-qq -o "Dir::State::Lists=$directory/lists" -o "Dir::Cache=$directory/cache" -o "Dir::Etc::sourcelist=$directory/$suite.list"
    -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2
  version=$(apt-cache "${options[@]}" madison prometheus | awk -F'|' 'NR == 1 { gsub(/ /, "", $2); print $2 }')
  (cd "$directory" && apt-get "${options[@]}" download "prometheus=$version" >&2)
  mkdir -p "$directory/$suite"
  dpkg -x "$directory"/prometheus_"${version/:/%3a}"_*.deb "$directory/$suite"
  paths+=("$directory/$suite/usr/bin/prometheus")
done
echo "export VARVE_PROMETHEUS=$(IFS=:; echo "${paths[*]}")"
