#!/usr/bin/env bash
# Installs what the tests talk to: a real etcd and real Prometheus and VictoriaMetrics, from Debian's packages; and docker-compose,
# which checks the compose file (without it that test is skipped).
set -euo pipefail

need=()
nice_to_have=()
command -v etcd >/dev/null || need+=(etcd-server)
command -v etcdctl >/dev/null || need+=(etcd-client)
command -v prometheus >/dev/null || need+=(prometheus)
command -v victoria-metrics >/dev/null || need+=(victoria-metrics)
[ ${#need[@]} -eq 0 ] && exit 0
# Only where something is installed anyway: a machine that has all the rest may be without a network.
command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || nice_to_have=(docker-compose)

sudo=''
[ "$(id -u)" -eq 0 ] || sudo='sudo'
echo "installing ${need[*]} ${nice_to_have[*]} from Debian's packages"
$sudo apt-get update -qq
install() { DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
install "${need[@]}"
[ ${#nice_to_have[@]} -eq 0 ] || install "${nice_to_have[@]}" || echo "without ${nice_to_have[*]}"
