# shellcheck shell=bash
# Building the image, for the scripts that do. Variables:
#
#   PROFILE=release|dev   dev: a large image, in a few minutes
#   BUILD_FLAGS=…         for buildah, such as --volume for a CA of your company
#   BASES=local           no registry can be reached: the two base images are
#                         made of Debian packages (mmdebstrap) and of the Rust
#                         toolchain of this machine, under the names that the
#                         Dockerfile uses; needs root
#   STORAGE=DIR           where images are kept, in place of the usual storage

bases=${BASES:-registry}
storage=()
if [[ $bases == local || -n ${STORAGE:-} ]]; then
    STORAGE=${STORAGE:-$PWD/target/images}
    mkdir -p "$STORAGE"
    storage=(--root "$STORAGE/root" --runroot "$STORAGE/run" --storage-driver overlay)
fi
runtime=()
if command -v runc >/dev/null; then
    # Works also where there is no systemd and no cgroup manager.
    runtime=(--runtime runc --cgroup-manager cgroupfs)
fi
read -r -a build_flags <<<"${BUILD_FLAGS:-}"
# In a container of its own a build needs more rights than many machines give.
[[ $(id -u) == 0 ]] && build_flags+=(--isolation chroot)

podman() {
    command podman "${storage[@]}" "${runtime[@]}" "$@"
}

buildah() {
    command buildah "${storage[@]}" "$@"
}

# The base images of deploy/Dockerfile, without a registry.
local_bases() {
    local debian=docker.io/library/debian:bookworm-slim
    local rust=docker.io/library/rust:1.95-slim-bookworm
    local folder
    folder=$(mktemp -d)
    if ! podman image exists "$debian"; then
        mmdebstrap --quiet --variant=minbase --mode=root --include=ca-certificates bookworm "$folder/base.tar"
        podman import --quiet "$folder/base.tar" "$debian"
    fi
    if ! podman image exists "$rust"; then
        local sysroot
        sysroot=$(rustc --print sysroot)
        cp -a "$sysroot/bin" "$sysroot/lib" "$folder/"
        printf '%s\n' "FROM $debian" 'COPY bin /usr/local/bin' 'COPY lib /usr/local/lib' \
            'ENV CARGO_HOME=/usr/local/cargo' >"$folder/Dockerfile"
        buildah bud "${build_flags[@]}" --pull-never --quiet --tag "$rust" "$folder"
    fi
    rm -rf "$folder"
}

# `build_image NAME [FLAG…]`: the Dockerfile, under this name.
build_image() {
    local name=$1
    shift
    if [[ $bases == local ]]; then
        local_bases
        set -- --pull-never "$@"
    fi
    buildah bud --layers "${build_flags[@]}" "$@" \
        --build-arg PROFILE="${PROFILE:-release}" --tag "$name" --file deploy/Dockerfile .
}
