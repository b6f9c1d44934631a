"""The recipes of deploy/ci, step by step.

    ci.py scripts DIR      writes every script into DIR, for shellcheck
    ci.py steps PROGRAM    runs them with the program, in repositories made here,
                           with a `gh` and a `curl` that write down what they are asked
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

CI = Path(__file__).resolve().parent.parent / "ci"
MARKER = "<!-- marketsync-diff -->"
TOKEN = "glpat-not-to-be-seen"


def recipe(path):
    return YAML(typ="safe").load((CI / path).read_text())


def gitlab_job(name):
    """A job with what it extends."""
    jobs = recipe("gitlab/marketsync.gitlab-ci.yml")
    job = jobs[name]
    base = jobs.get(job.get("extends"), {})
    return {**base, **job, "variables": {**base.get("variables", {}), **job.get("variables", {})}}


def scripts(folder):
    folder.mkdir()
    for path in sorted((CI / "github").glob("*.yaml")):
        for name, job in recipe(f"github/{path.name}")["jobs"].items():
            for number, step in enumerate(job["steps"]):
                if "run" in step:
                    assert "${{" not in step["run"], f"{path.name}: a value of others in a script"
                    text = "#!/usr/bin/env bash\nset -e\n" + step["run"]
                    (folder / f"{path.stem}-{name}-{number}.sh").write_text(text)
    for name, job in recipe("gitlab/marketsync.gitlab-ci.yml").items():
        if isinstance(job, dict) and "script" in job:
            job = gitlab_job(name)
            lines = job.get("before_script", []) + job["script"]
            # GitLab runs both in one shell; it is the runner that sets these.
            text = "#!/bin/sh\nset -e\n" + "\n".join(lines) + "\n"
            (folder / f"gitlab-{name.replace(' ', '-')}.sh").write_text(text)


FAKE = """#!%(python)s
import json, os, re, subprocess, sys
world = json.load(open(os.environ["FAKE_WORLD"]))
args = sys.argv[1:]
def value(name):
    return args[args.index(name) + 1] if name in args else None
def note(call):
    with open(world["calls"], "a") as calls:
        calls.write(json.dumps(call) + "\\n")
def body(text):
    name, _, file = text.partition("@")
    assert name.rstrip("=") == "body", args
    return open(file).read()
"""

GH = FAKE + """
assert args[0] == "api" and os.environ["GH_TOKEN"] == "github-token", args
method, jq = value("--method") or "GET", value("--jq")
path = next(arg for arg in args[1:] if arg.startswith("repos/"))
if method == "GET":
    assert "--paginate" in args
    for page in world["comments"]:
        done = subprocess.run(["jq", "--raw-output", jq], input=json.dumps(page), text=True, capture_output=True, check=True)
        sys.stdout.write(done.stdout)
else:
    note({"method": method, "path": path, "body": body(value("--field"))})
"""

CURL = FAKE + """
assert "--fail" in args, args
url = next(arg for arg in args if arg.startswith("https://"))
if url == world["tool"]:
    assert value("--proto") == "=https"
    open(value("--output"), "wb").write(open(world["archive"], "rb").read())
    sys.exit()
assert world["token"] not in " ".join(args), "the token can be read by every process"
assert open(value("--header")[1:]).read() == "PRIVATE-TOKEN: " + world["token"] + "\\n"
method = value("--request") or "GET"
api = "https://gitlab.example.com/api/v4"
notes = api + "/projects/5/merge_requests/9/notes"
if method != "GET":
    note({"method": method, "path": url[len(api):], "body": body(value("--data-urlencode"))})
elif url == api + "/user":
    print(json.dumps({"id": 7}))
else:
    assert url.startswith(notes + "?"), url
    page = int(re.search("[&]page=([0-9]+)", url).group(1))
    pages = world["notes"]
    print(json.dumps(pages[page - 1] if page <= len(pages) else []))
"""


def sidecar(item_id, image):
    return json.dumps({
        "itemId": item_id, "name": "A sidecar", "description": "Made for a test", "tenantId": "my-company",
        "lifecycleStatus": "published",
        "itemTypeDefinitionRef": {"name": "sidecar", "namespace": "mia-platform"},
        "documentation": {"type": "externalLink", "url": "https://example.com/docs"},
        "resources": {"name": item_id, "dockerImage": image, "containerPorts": [{"name": "http", "from": 80, "to": 5000}]},
    }, indent=2) + "\n"


class World:
    """A runner: a checkout of a change, the program as an archive, and the fakes."""

    def __init__(self, program, change):
        self.kept = tempfile.TemporaryDirectory()
        self.root = Path(self.kept.name)
        self.checkout = self.root / "checkout"
        self.bin = self.root / "bin"
        for folder in ("checkout", "bin", "temp", "home"):
            (self.root / folder).mkdir()
        for name, text in (("gh", GH), ("curl", CURL)):
            (self.bin / name).write_text(text % {"python": sys.executable})
            (self.bin / name).chmod(0o755)
        self.tar = self.root / "marketsync.tar.gz"
        with tarfile.open(self.tar, "w:gz") as archive:
            link = tarfile.TarInfo("marketsync-0.1.0/marketsync")
            link.type, link.linkname = tarfile.SYMTYPE, str(program)
            archive.addfile(link)
        self.checksum = hashlib.sha256(self.tar.read_bytes()).hexdigest()
        self.comments, self.notes = [[]], [[]]
        self.git("init", "-q", "-b", "main")
        self.write("catalogue/kept.json", sidecar("kept", "example.com/kept:1.0.0"))
        self.base = self.commit()
        self.git("update-ref", "refs/remotes/origin/main", self.base)
        self.git("checkout", "-q", "-b", "change")
        change(self)
        self.head = self.commit()

    def git(self, *args):
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        done = subprocess.run(["git", *who, *args], cwd=self.checkout, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path, text):
        file = self.checkout / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def run(self, shell, script, env, cwd=None):
        world = self.root / "world.json"
        world.write_text(json.dumps({
            "tool": "https://downloads.example.com/tool.tar.gz", "archive": str(self.tar), "token": TOKEN,
            "calls": str(self.root / "calls"), "comments": self.comments, "notes": self.notes,
        }))
        file = self.root / "script"
        file.write_text(script)
        whole = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.root / "home"), "FAKE_WORLD": str(world), **env}
        done = subprocess.run([*shell, str(file)], cwd=cwd or self.checkout, env=whole, capture_output=True, text=True)
        if os.environ.get("TRACE"):
            print(script, done)
        return done

    def calls(self):
        file = self.root / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


def truth(condition, facts):
    """A condition of either, with what it names."""
    text = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", str(condition), flags=re.DOTALL)
    known = lambda name: name.group(1) or repr(facts.get(name.group(2), ""))
    text = re.sub(r"""('[^']*'|"[^"]*")|(\$?[A-Za-z_][\w.]*(?:\(\))?)""", known, text)
    text = text.replace("&&", " and ").replace("||", " or ").replace("!=", "\1").replace("!", " not ").replace("\1", "!=")
    return bool(eval(" ".join(text.split()), {}))


class GitHub:
    """The jobs of a workflow, as a runner does them; actions do nothing."""

    def __init__(self, world, path, facts, env=()):
        self.world, self.whole, self.env = world, recipe(path), dict(env)
        self.jobs, self.artifacts = self.whole["jobs"], {}
        self.facts = {"cancelled()": False, "always()": True, "github.repository": "acme/catalogue",
                      "github.event.pull_request.base.ref": "main", "github.event.pull_request.number": "9",
                      "github.token": "github-token", "github.ref": "refs/heads/main",
                      "runner.temp": str(world.root / "temp"), **facts}
        self.summary, self.logs, self.ran = "", {}, []

    def valued(self, env):
        named = lambda found: str(self.facts.get(found.group(1), ""))
        return {key: re.sub(r"\$\{\{\s*(\S+)\s*\}\}", named, str(value)) for key, value in env.items()}

    def job(self, name):
        job, world, failed, path = self.jobs[name], self.world, False, []
        # Every job has a machine of its own.
        for left in ("marketsync", "report", "approved"):
            shutil.rmtree(world.root / "temp" / left, ignore_errors=True)
        if not truth(job.get("if", "always()"), self.facts):
            return "skipped"
        for number, step in enumerate(job["steps"]):
            wanted = step.get("if", "not failed")
            wanted = not failed if wanted == "not failed" else truth(wanted, self.facts)
            outcome, step_id = "skipped", step.get("id", f"step{number}")
            if wanted and "run" in step:
                files = {file: world.root / file for file in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")}
                for file in files.values():
                    file.write_text("")
                env = {**self.whole.get("env", {}), **self.valued(job.get("env", {})), "TOOL_URL": "https://downloads.example.com/tool.tar.gz",
                       "TOOL_SHA256": world.checksum, **self.valued(step.get("env", {})), **self.env,
                       "GITHUB_REPOSITORY": "acme/catalogue", "RUNNER_TEMP": str(world.root / "temp"),
                       **{name: str(file) for name, file in files.items()}}
                env["PATH"] = ":".join([*path, str(world.bin), os.environ["PATH"]])
                done = world.run(["bash", "-e"], step["run"], env)
                self.logs[step.get("name")], self.summary = done, self.summary + files["GITHUB_STEP_SUMMARY"].read_text()
                path += files["GITHUB_PATH"].read_text().split()
                for line in files["GITHUB_OUTPUT"].read_text().splitlines():
                    key, _, value = line.partition("=")
                    self.facts[f"steps.{step_id}.outputs.{key}"] = value
                outcome = "success" if done.returncode == 0 else "failure"
                failed = failed or outcome == "failure"
            elif wanted:
                outcome = "success"
                given = self.valued(step.get("with", {}))
                if "upload-artifact" in step["uses"]:
                    self.artifacts[given["name"]] = Path(given["path"])
                if "download-artifact" in step["uses"]:
                    kept = self.artifacts.get(given["name"], world.root / "temp/report.md")
                    Path(given["path"]).mkdir()
                    (Path(given["path"]) / kept.name).write_bytes(kept.read_bytes())
            self.ran += [step.get("name", step.get("uses", "").split("@")[0])] if wanted else []
            self.facts[f"steps.{step_id}.outcome"] = outcome
        for key, value in job.get("outputs", {}).items():
            self.facts[f"needs.{name}.outputs.{key}"] = self.valued({key: value})[key]
        return "failure" if failed else "success"


def equal(what, found, wanted):
    assert found == wanted, f"{what}: {found!r} in place of {wanted!r}"
    print(f"  {what}")


def edit(world):
    world.write("catalogue/kept.json", sidecar("kept", "example.com/kept:2.0.0"))
    world.write("catalogue/fresh.json", sidecar("fresh", "example.com/fresh:1.0.0"))


def broken(world):
    edit(world)
    world.write("catalogue/broken.json", '{"itemId": "broken",\n "name" 1}\n')


def nothing(world):
    world.write("README.md", "x\n")


OURS = {"id": 22, "user": {"login": "github-actions[bot]"}, "body": MARKER + "\nold"}
OTHERS = {"id": 11, "user": {"login": "mallory"}, "body": MARKER + "\nmine"}


def review(program, change, comments=(), fork=False, spoil=None):
    world = World(program, change)
    world.comments = [[OTHERS], list(comments)]
    whose = "mallory/catalogue" if fork else "acme/catalogue"
    hub = GitHub(world, "github/marketsync-review.yaml", {"github.event.pull_request.head.repo.full_name": whose})
    if spoil:
        spoil(world)
    jobs = (hub.job("review"), hub.job("comment"))
    return hub, jobs, world.calls()


def github(program):
    hub, jobs, calls = review(program, edit)
    equal("differences are no failure", jobs, ("success", "success"))
    equal("one comment is posted", [(c["method"], c["path"]) for c in calls], [("POST", "repos/acme/catalogue/issues/9/comments")])
    equal("it is the report", (calls[0]["body"].startswith(MARKER), "fresh" in calls[0]["body"], calls[0]["body"]), (True, True, hub.summary))
    _, jobs, calls = review(program, edit, [OURS])
    equal("ours is replaced, that of somebody else is not", [(c["method"], c["path"]) for c in calls], [("PATCH", "repos/acme/catalogue/issues/comments/22")])
    hub, jobs, calls = review(program, edit, [OURS], fork=True)
    equal("a fork: no call", (jobs, calls, hub.summary.startswith(MARKER)), (("success", "skipped"), [], True))
    _, jobs, calls = review(program, nothing)
    equal("nothing differs: no new comment", (jobs, calls), (("success", "success"), []))
    _, jobs, calls = review(program, nothing, [OURS])
    equal("nothing differs: the old one is replaced", [c["method"] for c in calls], ["PATCH"])
    hub, jobs, calls = review(program, broken)
    equal("a broken file fails the job, and the report is posted", (jobs, [c["method"] for c in calls]), (("failure", "success"), ["POST"]))
    marked = hub.logs["Validate"].stdout.splitlines()[0]
    assert marked.startswith("::error file=catalogue/broken.json,line=2,"), marked
    equal("its exit codes are those of the program", (hub.logs["Validate"].returncode, hub.logs["Diff"].returncode), (1, 2))
    hub, jobs, calls = review(program, edit, spoil=lambda world: setattr(world, "checksum", "0" * 64))
    equal("another program is not run", (jobs, calls, hub.ran[1:]), (("failure", "skipped"), [], ["Install marketsync"]))
    hub, jobs, calls = review(program, edit, spoil=lambda world: world.git("update-ref", "-d", "refs/remotes/origin/main"))
    equal("without the base: a failure, and no call", (jobs, calls, hub.logs["Diff"].returncode), (("failure", "skipped"), [], 2))

    world = World(program, edit)
    hub = GitHub(world, "github/marketsync-review.yaml", {"github.event.pull_request.head.repo.full_name": "acme/catalogue", "needs.review.outputs.result": "differs"})
    (world.root / "temp/report.md").write_text("# something else\n")
    equal("what is no report is not posted", (hub.job("comment"), world.calls()), ("failure", []))

    world = World(program, edit)
    secret = {"vars.MARKETSYNC_CLIENT_ID": "id", "secrets.MARKETSYNC_CLIENT_SECRET": "secret"}
    apply = GitHub(world, "github/marketsync-apply.yaml", secret, {"MARKETSYNC_ENDPOINT": "embedded"})
    equal("apply", (apply.job("apply"), "2 of 2 items" in apply.logs["Apply"].stdout), ("success", True))
    kept = {step["with"]["path"] for step in apply.jobs["apply"]["steps"] if "cache" in step.get("uses", "")}
    equal("its state is where the cache looks", (kept, (world.root / "home/.marketsync/state.db").exists()), ({"~/.marketsync"}, True))
    world.write("catalogue/broken.json", "{")
    world.commit()
    equal("a broken file fails it", (apply.job("apply"), apply.logs["Apply"].returncode), ("failure", 1))
    equal("and the state is kept all the same", apply.ran[-1], "actions/cache/save")

    def approved(between=lambda world: None):
        world = World(program, edit)
        hub = GitHub(world, "github/marketsync-apply-approved.yaml", secret, {"MARKETSYNC_ENDPOINT": "embedded"})
        plan = hub.job("plan")
        between(world)
        return hub, (plan, hub.job("apply"))

    hub, jobs = approved()
    equal("what was approved is done", (jobs, "2 of 2 items" in hub.logs["Apply"].stdout), (("success", "success"), True))
    equal("its report is in the summary", "fresh" in hub.summary, True)
    hub.facts.pop("steps.plan.outputs.result")
    equal("then there is nothing to approve", (hub.job("plan"), hub.job("apply")), ("success", "skipped"))

    def more(world):
        world.write("catalogue/more.json", sidecar("more", "example.com/more:1.0.0"))
        world.commit()

    hub, jobs = approved(more)
    equal("if something else is to be done, nothing is", (jobs, hub.logs["Apply"].returncode, hub.logs["Apply"].stdout.count("Created")), (("success", "failure"), 3, 0))


def lab(world, name, env=()):
    """Runs a job of GitLab; none if its rules leave it out."""
    job = gitlab_job(name)
    facts = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "9",
             "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5", "CI_MERGE_REQUEST_DIFF_BASE_SHA": world.base,
             "CI_API_V4_URL": "https://gitlab.example.com/api/v4", "CI_DEFAULT_BRANCH": "main",
             "CI_PROJECT_DIR": str(world.checkout), "REPORT_TOKEN": TOKEN, **dict(env)}
    if not any(truth(rule["if"], {f"${key}": value for key, value in facts.items()}) for rule in job["rules"]):
        return None
    script = "\n".join(job.get("before_script", []) + job["script"])
    tool = {"TOOL_URL": "https://downloads.example.com/tool.tar.gz", "TOOL_SHA256": world.checksum}
    return world.run(["sh", "-e"], script, {**job["variables"], **tool, **facts})


def gitlab(program):
    world = World(program, broken)
    equal("a broken file fails validate", lab(world, "marketsync validate").returncode, 1)
    quality = json.loads((world.checkout / "gl-code-quality-report.json").read_text())
    equal("the report names file and line", quality[0]["location"], {"path": "catalogue/broken.json", "lines": {"begin": 2}})
    none = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "0" * 40}
    equal("without a base it could not be done", lab(world, "marketsync validate", none).returncode, 2)
    equal("and there is no empty report", (world.checkout / "gl-code-quality-report.json").exists(), False)
    equal("a broken file fails diff, which reports", (lab(world, "marketsync diff").returncode, (world.checkout / "marketsync-report.md").stat().st_size > 0), (2, True))

    world = World(program, edit)
    equal("differences are no failure", lab(world, "marketsync diff").returncode, 0)
    path = "/projects/5/merge_requests/9/notes"
    report = world.checkout / "marketsync-report.md"
    report.write_text(report.read_text() + "/merge\n")
    equal("a note", lab(world, "marketsync note").returncode, 0)
    calls = world.calls()
    equal("is posted", [(c["method"], c["path"]) for c in calls], [("POST", path)])
    equal("without orders to GitLab", (calls[0]["body"].startswith(MARKER), "\n /merge" in calls[0]["body"], "\n/" in calls[0]["body"]), (True, True, False))
    mine, other = ({"id": number, "author": {"id": who}, "body": MARKER + "\nold"} for number, who in ((44, 7), (33, 8)))
    world.notes = [[other], [mine]]
    lab(world, "marketsync note")
    equal("ours is replaced, on whatever page; that of somebody else is not", [(c["method"], c["path"]) for c in world.calls()], [("PUT", path + "/44")])
    equal("a fork: no job", lab(world, "marketsync note", {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "6"}), None)
    equal("no token: no job", lab(world, "marketsync note", {"REPORT_TOKEN": ""}), None)
    report.write_text("# something else\n")
    equal("what is no report is not posted", (lab(world, "marketsync note").returncode, world.calls()), (1, []))
    world.checksum = "0" * 64
    done = lab(world, "marketsync diff")
    equal("another program is not run", (done.returncode != 0, report.read_text()), (True, "# something else\n"))

    # GitLab merged it on trial: what others did since then is no part of it.
    world = World(program, edit)
    since = {"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": world.head}
    lab(world, "marketsync diff", since)
    equal("merged on trial: compared with the branch", (world.checkout / "marketsync-report.env").read_text(), "RESULT=same\n")

    world = World(program, nothing)
    equal("nothing differs", lab(world, "marketsync diff").returncode, 0)
    lab(world, "marketsync note")
    equal("no new note", world.calls(), [])
    world.notes = [[mine]]
    lab(world, "marketsync note")
    equal("the old one is replaced", [c["method"] for c in world.calls()], ["PUT"])

    pushed = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "MARKETSYNC_ENDPOINT": "embedded",
              "MARKETSYNC_CLIENT_ID": "id", "MARKETSYNC_CLIENT_SECRET": "secret"}
    world = World(program, edit)
    equal("apply", "2 of 2 items" in lab(world, "marketsync apply", pushed).stdout, True)
    kept = gitlab_job("marketsync apply")["cache"]
    equal("its state is where the cache looks", (kept["paths"], (world.checkout / ".marketsync/state.db").exists()), ([".marketsync/"], True))
    equal("not on a branch", lab(world, "marketsync apply", {**pushed, "CI_COMMIT_BRANCH": "change"}), None)


if __name__ == "__main__":
    if sys.argv[1] == "scripts":
        scripts(Path(sys.argv[2]))
    else:
        found = Path(sys.argv[2]).resolve()
        print("GitHub")
        github(found)
        print("GitLab")
        gitlab(found)
