#!/usr/bin/env bash
# Install missing system packages for `make test-system` with apt. Without permission, the tests that
# need them are skipped with the reason; in CI, that is a failure.
set -u
missing=()
command -v chromium >/dev/null || missing+=(chromium)
# Debian does not put server programs on the PATH.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
command -v node >/dev/null || missing+=(nodejs npm)
command -v strace >/dev/null || missing+=(strace)
command -v unshare >/dev/null || missing+=(util-linux)
command -v ip >/dev/null || [ -x /usr/sbin/ip ] || missing+=(iproute2)
command -v curl >/dev/null || missing+=(curl)
command -v javac >/dev/null || missing+=(default-jdk-headless)
[ "$(php -m 2>/dev/null | grep -cxE 'curl|sqlite3')" = 2 ] || missing+=(php-cli php-curl php-sqlite3)
command -v ruby >/dev/null || missing+=(ruby)
command -v go >/dev/null || missing+=(golang-go)
[ ${#missing[@]} -eq 0 ] && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "Installing with apt: ${missing[*]}"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && exit 0
fi
echo "*** NOT TESTED: ${missing[*]} missing and not installable here (needs apt and root). ***" >&2
[ "${CI:-}" = true ] && exit 1
exit 0
