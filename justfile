# The daily commands. Continuous integration runs `.ci/run` and needs no `just`.

# What continuous integration checks, in its order.
check:
    .ci/run

# All tests, or those whose name holds `name`.
test name="":
    cargo test {{ name }}

# Searches for input that breaks a promise: so many seconds for each target of fuzz/. Wants cargo-fuzz, or the network to install it.
fuzz seconds="60" *targets:
    fuzz/run {{ seconds }} {{ targets }}

# The form and the lints.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# How long from a commit to the log line of its item. Wants an otherwise idle machine.
bench-latency:
    cargo bench --bench commit_to_created

# The documentation of the crate; a broken link is an error.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# What a running marketsync answers on /metrics, checked with promtool, if that is there.
metrics-check:
    tests/metrics/check.sh

# The HTML reports in a real browser, light and dark, with axe; pictures and PDFs go to `folder`, if it is named.
html-check folder="":
    tests/html/check.sh {{ folder }}

# Licences, banned crates and sources of the dependencies, if cargo-deny is there.
deny:
    .ci/deny

# Writes the snapshots of what the program prints, also those in the README. Read the difference before you commit it.
readme:
    SNAPSHOTS=overwrite cargo test
    git --no-pager diff --stat

# Faults, crashes, torn sources, hostile files, secrets, soak, fuzzing and mutants, at length (some hours); or the parts that are named.
prove *parts:
    tests/prove/run long {{ parts }}

# The same for some minutes, without mutants.
prove-short *parts:
    tests/prove/run short {{ parts }}

# The files of deploy/, each with the tool that reads it.
deploy-check:
    deploy/check/run

# Builds the container image and lives with it: read-only, no capabilities, user 10001.
image-check image="":
    deploy/check/image {{ image }}

# A daemon scraped by a real Prometheus: the alerts load, and every query of the dashboard has an answer.
prometheus-check program="":
    deploy/check/prometheus {{ program }}

# The recipes of deploy/ci: schemas, zizmor, shellcheck, and each of their steps run. A part of deploy-check.
ci-check:
    deploy/check/ci

# Static program, image, chart, SBOM and checksums, in target/release-artifacts.
release:
    deploy/release/build

# Remotes against a real HTTPS git server and a real sshd, which it installs if this is root. With `--measure` also what a large repository costs.
remote *args:
    tests/remote/run.sh {{ args }}
