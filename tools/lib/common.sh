# Shared by tools/up, tools/test and tools/bench. Sourced, not run.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"

# say "what is happening": one line, with the time since the start, so that a long run shows that it lives.
started=$SECONDS
say() {
    printf '[%4ds] %s\n' $((SECONDS - started)) "$*"
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# What is needed to build and run, and what only the tests and benchmarks need. Debian 12 names.
packages_build=(build-essential cmake ninja-build ccache pkg-config postgresql-15 postgresql-client-15 libpq-dev libsqlite3-dev
    sqlite3 libnng-dev protobuf-compiler libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev libpg-query-dev libsodium-dev
    libjansson-dev uthash-dev libzstd-dev ca-certificates)
packages_test=(libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14 openssl procps iproute2 nftables)
packages_bench=(libgrpc++-dev protobuf-compiler-grpc)

# need PACKAGE…: installs what is missing, and says what and why.
need() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing and neither root nor sudo is at hand: ${missing[*]}"
        root=(sudo)
    fi
    # A PostgreSQL package would make and start a cluster of its own; ours are private.
    if ! dpkg-query -W postgresql-common >/dev/null 2>&1; then
        "${root[@]}" mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo 'create_main_cluster = false' | "${root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    "${root[@]}" apt-get update -qq || die "apt-get update failed; is the Debian mirror reachable?"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get install failed for: ${missing[*]}"
}

# build PRESET [TARGET…]: configures once and builds; the output is shown only when it fails.
build() {
    local preset=$1 log
    shift
    mkdir -p build
    log=build/$preset.log
    say "building ($preset)"
    { cmake --preset "$preset" && cmake --build "build/$preset" ${*:+--target "$@"}; } >"$log" 2>&1 ||
        { tail -n 60 "$log" >&2; die "the build failed; all of its output is in $log"; }
}
