#!/usr/bin/env bash
# Remotes against servers as people run them: lighttpd with TLS, basic auth and
# `git http-backend`, and a real sshd with a forced git-shell. It installs what
# is missing, starts everything on free loopback ports, and ends it again.
#
#     tests/remote/run.sh [--measure]
#
# With --measure it also clones and fetches a repository of 10,000 small files.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    echo "skipped: $*"
    exit 0
}

need() { # program, package…
    local program=$1
    shift
    [ -x "$program" ] && return
    [ "$(id -u)" = 0 ] || skip "$program is missing, and only root may install $*"
    apt-get install -y --no-install-recommends "$@" >/dev/null || skip "cannot install $*"
}
need /usr/sbin/lighttpd lighttpd lighttpd-mod-openssl
need /usr/sbin/sshd openssh-server
need /usr/bin/openssl openssl
[ -f /usr/lib/lighttpd/mod_openssl.so ] || need /nowhere lighttpd-mod-openssl
backend=$(git --exec-path)/git-http-backend
[ -x "$backend" ] || skip "this git has no http-backend"

work=$(mktemp -d)
started=()
finish() {
    for process in "${started[@]}"; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
until_open() { # port
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    echo "nothing listens on port $1" >&2
    exit 1
}

export GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name "Ada Author"
git config --global user.email ada@example.com
git config --global safe.directory '*'

# The repository, and a checkout that pushes to it.
mkdir -p "$work/srv"
git init -q --bare -b main "$work/srv/repo.git"
git init -q -b main "$work/checkout"
git -C "$work/checkout" remote add origin "$work/srv/repo.git"
echo 1 >"$work/checkout/a.json"
git -C "$work/checkout" add -A
git -C "$work/checkout" commit -q -m first
git -C "$work/checkout" push -q origin main

# An authority, and a certificate for localhost.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=A test's own authority" \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost \
    -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 2 \
    -CAcreateserial -extfile <(printf 'subjectAltName=DNS:localhost') -out "$work/server.crt" 2>/dev/null
cat "$work/server.key" "$work/server.crt" >"$work/server.pem"

# lighttpd: /git asks for a password, /open does not; the plain port also
# serves requests that are meant for a proxy.
https=$(free_port)
http=$(free_port)
echo 'bob:builder' >"$work/users"
printf builder >"$work/password"
cat >"$work/lighttpd.conf" <<CONF
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_cgi", "mod_setenv", "mod_openssl")
server.document-root = "$work/srv"
server.bind = "127.0.0.1"
server.port = $http
server.errorlog = "$work/lighttpd.log"
\$SERVER["socket"] == "127.0.0.1:$https" {
    ssl.engine = "enable"
    ssl.pemfile = "$work/server.pem"
}
alias.url = ("/git" => "$backend", "/open" => "$backend")
cgi.assign = ("" => "")
setenv.set-environment = (
    "GIT_PROJECT_ROOT" => "$work/srv",
    "GIT_HTTP_EXPORT_ALL" => "1",
    "GIT_CONFIG_NOSYSTEM" => "1",
    "GIT_CONFIG_GLOBAL" => "$work/gitconfig",
)
auth.backend = "plain"
auth.backend.plain.userfile = "$work/users"
\$HTTP["url"] =~ "^/git" {
    auth.require = ("" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
}
CONF
/usr/sbin/lighttpd -D -f "$work/lighttpd.conf" 2>"$work/lighttpd.err" &
started+=($!)

# sshd, with a shell that only serves git.
ssh=$(free_port)
mkdir -p /run/sshd 2>/dev/null || true
ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/other-host"
ssh-keygen -q -t ed25519 -N '' -f "$work/client"
shell=$(command -v git-shell || echo "$(git --exec-path)/git-shell")
echo "restrict,command=\"$shell -c \\\"\$SSH_ORIGINAL_COMMAND\\\"\" $(cat "$work/client.pub")" >"$work/authorized"
cat >"$work/sshd.conf" <<CONF
Port $ssh
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
AcceptEnv GIT_PROTOCOL
LogLevel ERROR
CONF
/usr/sbin/sshd -D -e -f "$work/sshd.conf" 2>"$work/sshd.err" &
started+=($!)
until_open "$https"
until_open "$ssh"
ssh-keyscan -p "$ssh" 127.0.0.1 2>/dev/null >"$work/known_hosts"

export REMOTE_TEST_WORK=$work/checkout
export REMOTE_TEST_HTTPS=https://localhost:$https/git/repo.git
export REMOTE_TEST_PASSWORD=$work/password
export REMOTE_TEST_CA=$work/ca.pem
export REMOTE_TEST_SSH="ssh://$(id -un)@127.0.0.1:$ssh$work/srv/repo.git"
export REMOTE_TEST_KEY=$work/client
export REMOTE_TEST_KNOWN_HOSTS=$work/known_hosts
export REMOTE_TEST_OTHER_HOST_KEY=$work/other-host.pub
export REMOTE_TEST_BEHIND_PROXY=http://git.invalid/open/repo.git

# The suite as it was built, or one that is named.
run() {
    if [ -n "${REMOTE_TEST_BINARY:-}" ]; then
        "$REMOTE_TEST_BINARY" "$@"
    else
        cargo test --test it -- "$@"
    fi
}
run --ignored --test-threads 1 remote::real::an_
http_proxy=http://127.0.0.1:$http run --ignored remote::real::a_proxy
if http_proxy=http://127.0.0.1:1 run --ignored remote::real::a_proxy >/dev/null 2>&1; then
    echo "a proxy that is not there was not used" >&2
    exit 1
fi

[ "${1:-}" = --measure ] || exit 0
git init -q -b main "$work/big"
python3 - "$work/big" <<'PY'
import os, random, sys
random.seed(1)
for n in range(10_000):
    folder = f"{sys.argv[1]}/items/{n % 100:02}"
    os.makedirs(folder, exist_ok=True)
    words = " ".join(f"{random.getrandbits(32):x}" for _ in range(120))
    with open(f"{folder}/item-{n}.json", "w") as file:
        file.write('{"itemId": "item-%d", "description": "%s"}\n' % (n, words))
PY
git -C "$work/big" add -A
git -C "$work/big" commit -q -m first
for n in 1 2 3 4 5; do
    echo "$n" >"$work/big/items/00/item-0.json"
    git -C "$work/big" commit -q -a -m "$n"
done
git clone -q --bare "$work/big" "$work/srv/big.git"
git -C "$work/big" remote add origin "$work/srv/big.git"
export REMOTE_TEST_BIG_PUSH="cd '$work/big'; date +%s%N >items/01/item-1.json; git commit -q -a -m change; git push -q origin main"
echo "git:"
export GIT_SSL_CAINFO=$work/ca.pem
export GIT_SSH_COMMAND="ssh -i $work/client -o UserKnownHostsFile=$work/known_hosts -o IdentitiesOnly=yes"
for url in "https://bob:builder@localhost:$https/git/big.git" \
    "ssh://$(id -un)@127.0.0.1:$ssh$work/srv/big.git" "file://$work/srv/big.git"; do
    rm -rf "$work/clone.git"
    git clone -q --bare --depth 1 "$url" "$work/warm.git" && rm -rf "$work/warm.git"
    time git clone -q --bare --depth 1 "$url" "$work/clone.git"
    sh -ec "$REMOTE_TEST_BIG_PUSH"
    time git -C "$work/clone.git" fetch -q --depth 1 "$url" main
done
for url in "https://localhost:$https/git/big.git" \
    "ssh://$(id -un)@127.0.0.1:$ssh$work/srv/big.git" "file://$work/srv/big.git"; do
    echo "marketsync: ${url%%:*}"
    REMOTE_TEST_BIG=$url run --ignored --nocapture --test-threads 1 remote::real::what_a_large |
        grep -E 'ms$|VmHWM'
done
