# What the tests of the command line share; sourced with the folder of the programs as the first argument. Makes a home folder of its own, which goes
# away with the server in it when the script ends.
set -u
bin=$1
home=$(mktemp -d /tmp/charle-e2e-XXXXXX)
chmod 0711 "$home"
export CHARLE_HOME=$home
unset DATABASE_URL
port=$((20000 + RANDOM % 20000))
server=tcp://127.0.0.1:$port
failed=0
step=0

charle() { "$bin/charle" "$@"; }
finish() {
    charle up --stop >/dev/null 2>&1
    rm -rf "$home"
}
trap finish EXIT

# expect CODE WORDS COMMAND…: runs it, checks its exit code and that its output has the words.
expect() {
    local code=$1 words=$2 out got
    shift 2
    step=$((step + 1))
    out=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne "$code" ] || ! grep -qF -- "$words" <<<"$out"; then
        printf 'FAILED %d: %s\n  exit code %s, expected %s; expected words: %s\n  output: %.2000s\n' "$step" "$*" "$got" "$code" "$words" "$out"
        failed=1
    fi
}
login() { charle login "$1" --server $server --profile "$2" <<<"$3"; }
value() { charle query "$1" --profile "$2" --format csv | sed -n 2p | tr -d '\r'; }

# json COMMAND…: what it prints must be one JSON value, whether it succeeds or not.
json() {
    step=$((step + 1))
    "$@" --json >"$home/json" 2>/dev/null
    if [ "$(sqlite3 :memory: "select json_valid(cast(readfile('$home/json') as text))")" != 1 ]; then
        printf 'FAILED %d: %s --json\n  is not one JSON value: %.300s\n' "$step" "$*" "$(<"$home/json")"
        failed=1
    fi
}

# sql STATEMENT: by hand in the server's database.
sql() { psql -qXAt "$(cat "$home/server/database-url")" -c "$1"; }
ended() {
    [ $failed -eq 0 ] && printf 'all %d steps went as they should\n' "$step"
    exit $failed
}
