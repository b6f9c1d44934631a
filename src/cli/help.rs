//! What `--help` says after the options.

pub(super) const SETTINGS: &str = "\
Every option can also be set by an environment variable and in the configuration file, under the \
same name: --company-id, MARKETSYNC_COMPANY_ID, company_id. An option goes before a variable, a \
variable before the file. In a variable, several values stand on several lines; in the file they \
are a list. Relative paths in the file begin at its folder.";

pub(super) const APPLY: &str = "\
Examples:
  marketsync apply --endpoint embedded
      Try it without an account, on the current folder
  MARKETSYNC_CLIENT_SECRET=… marketsync apply catalog \\
      --endpoint https://console.example.com --company-id my-company --client-id ID
      One pass with a service account
  marketsync apply --prune --drift=correct
      Also delete what left the repository, and put right what others changed

The secret, private key or token comes from a file or from MARKETSYNC_CLIENT_SECRET, \
MARKETSYNC_PRIVATE_KEY or MARKETSYNC_TOKEN, never from an option. If endpoint, company and \
credential are all unset, the current context of miactl is used.

Exit codes:
  0    everything is as it should be
  1    some item is invalid, failed or was rejected; the good ones were done
  2    the work could not be done: usage, configuration, source, network, authentication, lock
  3    a guard held something back (see --allow-deletes and --max-updates)
  130, 143  interrupted or terminated with something left undone";

pub(super) const RUN: &str = "\
Examples:
  marketsync run /srv/catalogue --endpoint https://console.example.com --company-id my-company \\
      --client-id ID --client-secret-file /run/secrets/marketsync
      Follow a checkout that somebody else pulls
  marketsync run https://git.example.com/team/catalogue.git --branch main \\
      --git-password-file /run/secrets/git --hook-secret-file /run/secrets/hook
      Follow a remote repository; the webhook makes it immediate
  marketsync run --endpoint embedded
      Try it without an account, on the current folder

It logs to stderr and answers on --listen: /healthz, /readyz, /metrics, /status, and POST /hook if \
there is a --hook-secret-file. The secrets come from files, which are read again when they change, \
or from MARKETSYNC_CLIENT_SECRET, MARKETSYNC_PRIVATE_KEY, MARKETSYNC_TOKEN, \
MARKETSYNC_GIT_PASSWORD and MARKETSYNC_HOOK_SECRET.

Exit codes:
  0    ended by SIGTERM or SIGINT
  2    it could not start, or it could not go on";

pub(super) const VALIDATE: &str = "\
Examples:
  marketsync validate
  marketsync validate catalog --against origin/main --strict --format json

Needs no network and no account.

Exit codes:
  0    every item is valid
  1    some item is not
  2    the work could not be done: usage, configuration, source";

pub(super) const STATUS: &str = "\
Examples:
  marketsync status
  marketsync status --state /var/lib/marketsync --format json
  marketsync status --url http://127.0.0.1:8080

The state is found by --state, or else by endpoint, company and source as `apply` was given them.

Exit codes:
  0    the state was read
  1    some item failed or was rejected when it was last tried; with --url also a file that is
       broken, or a last pass that did not come to its end
  2    there is no state, or it could not be read; or nobody answers at --url";

pub(super) const MARKETPLACE: &str = "\
Examples:
  marketsync marketplace
  marketsync marketplace --listen 127.0.0.1:9000 --data marketplace.json --control

It speaks the published HTTP API of the Marketplace and keeps its items in memory, or in the file \
of --data. It is meant for tests and first steps; it takes any credential.

Switches (the first value is the default; docs/embedded-marketplace.md tells what they decide):
  upsert=replace|merge               unknown-keys=reject|drop|keep
  reapply=updated|neither            order=request|reversed
  list-rows=item|version             unknown-versions=not-found|empty
  written-defaults=off|on            delete-files=off|on
  manifest-form=on|off               partial-failure=per-item|refuse-all|store-rest
  tenant-mismatch=overwrite|accept|reject-item|bad-request|forbidden

Exit codes:
  0    ended by a signal
  2    it could not start";

pub(super) const DIFF: &str = "\
Examples:
  marketsync diff --endpoint https://console.example.com --company-id my-company --client-id ID
      What apply would do now
  marketsync diff --against origin/main --format markdown
      What this branch changes, without network and account
  marketsync diff --out plan.json && marketsync apply --plan plan.json
      Apply exactly what was seen

It reads the direction live → git: - is there, + will be there. Values that look like credentials \
are masked. The options of the pass say what apply would be given.

Exit codes:
  0    nothing that apply would do now; what is adopted or held is listed
  1    differences
  2    the work could not be done, or a file is wrong; the report is complete all the same
  3    a guard would hold something (see --allow-deletes and --max-updates)";

pub(super) const HISTORY: &str = "\
Examples:
  marketsync history my-sidecar
  marketsync history my-plugin@1.2.0 --state /var/lib/marketsync --format json

The state is found by --state, or else by endpoint, company and source as `apply` was given them.

Exit codes:
  0    the history was read
  2    there is no state, no such item in it, or it could not be read";

pub(super) const EXPORT: &str = "\
Examples:
  marketsync export catalog --endpoint https://console.example.com --company-id my-company \\
      --client-id ID --client-secret-file /run/secrets/marketsync

Once the files are committed, `marketsync diff` finds nothing, and `marketsync apply` records every \
item without a write.

Exit codes:
  0    every item was written
  1    some item could not be written; the others were
  2    the work could not be done: usage, configuration, network, authentication";
