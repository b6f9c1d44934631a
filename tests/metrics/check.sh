#!/usr/bin/env bash
# Holds what a running marketsync answers on /metrics to Prometheus' own linter.
#
#   tests/metrics/check.sh [PROGRAM]
#
# Needs promtool (Debian: prometheus) and curl; without them it says so and
# checks nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in promtool curl; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed (Debian: apt-get install --no-install-recommends prometheus curl)"
        exit 0
    fi
done

program=${1:-}
if [ -z "$program" ]; then
    cargo build --quiet
    program=${CARGO_TARGET_DIR:-target}/debug/marketsync
fi

dir=$(mktemp -d)
pid=
end() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" || true
    fi
    rm -rf "$dir"
}
trap end EXIT

XDG_CONFIG_HOME=$dir "$program" run examples/catalogue --endpoint embedded --company-id acme \
    --state "$dir/state" --listen 127.0.0.1:0 --log-format json 2>"$dir/log" &
pid=$!

# Until it is ready, every metric is there, but not every series.
url=
for _ in $(seq 300); do
    if ! kill -0 "$pid" 2>/dev/null; then
        cat "$dir/log" >&2
        exit 1
    fi
    url=$(sed -n 's/.*"message":"Listening".*"address":"\([^"]*\)".*/\1/p' "$dir/log")
    if [ -n "$url" ] && curl -fs -o /dev/null "http://$url/readyz"; then
        break
    fi
    sleep 0.1
done
curl -fsS "http://$url/readyz" >/dev/null

kind=$(curl -fsS -o "$dir/metrics" -w '%{content_type}' "http://$url/metrics")
case $kind in
"text/plain; version=0.0.4"*) ;;
*)
    echo "the type of /metrics is $kind" >&2
    exit 1
    ;;
esac
promtool check metrics <"$dir/metrics"
grep -q '^marketsync_item_operations_total{operation="create",result="success"} 13$' "$dir/metrics"
grep -q '^marketsync_items{state="synced"} 13$' "$dir/metrics"
echo "ok: $(grep -c '^marketsync_' "$dir/metrics") series, nothing to say about any"
