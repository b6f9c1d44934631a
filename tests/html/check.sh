#!/usr/bin/env bash
# Opens the HTML reports in a real browser, light and dark, narrow and wide:
# axe must find nothing, nothing may be loaded, no page may be wider than its
# window. Leaves pictures and a PDF of each page in FOLDER.
#
#   tests/html/check.sh [FOLDER]
#
# Needs Chromium and npm; as root on Debian it installs Chromium. Without them
# it says so and checks nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CI=true

if ! command -v npm >/dev/null; then
    echo "skipped: npm is not installed"
    exit 0
fi
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core >/dev/null || true
    fi
fi
if ! browser=$(command -v chromium || command -v google-chrome); then
    echo "skipped: Chromium is not installed (Debian: apt-get install chromium fonts-dejavu-core)"
    exit 0
fi

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
out=${1:-$tools/pages}
mkdir -p "$out"
out=$(cd "$out" && pwd)

MARKETSYNC_PAGES=$out cargo test --quiet --test it -- --ignored reports::html::pages_for_a_browser
test -s "$out/full.html"

cp tests/html/check.mjs "$tools"
cd "$tools"
if ! npm install --silent --no-audit --no-fund playwright-core@1 @axe-core/playwright@4 >npm.log 2>&1; then
    tail -n 3 npm.log
    echo "skipped: playwright-core and @axe-core/playwright cannot be installed"
    exit 0
fi
node check.mjs "$browser" "$out"
