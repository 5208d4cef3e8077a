#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# docs/ci/*.yml: what a runner would be given is YAML, holds together, names what is there; its steps are shell; those that
# publish are run, against a registry on 127.0.0.1, and scripts/push-manifests.sh with them.

bats_require_minimum_version 1.5.0

setup_file() {
	load chain
	load common
	load registry
	local tool
	export PATH=$PATH:/usr/sbin:/sbin lacks
	export made=$BATS_FILE_TMPDIR/made HOME=$BATS_FILE_TMPDIR/home
	mkdir "$made" "$HOME"
	lacks=$(chain_missing)
	for tool in docker-registry curl openssl; do
		command -v $tool >/dev/null || lacks+="$tool "
	done
	[ -z "$lacks" ] || return 0
	registry_clients oras
	oras version >&2 || {
		lacks="oras of Debian 13 (cannot be fetched) "
		return 0
	}
	cd "$made"
	chain_root root
	chain_squashfs root root.sqfs
	chain_disk disk.raw root.sqfs
	small_profile sha256 >small.yaml
	openssl genpkey -algorithm ED25519 -out release.pem
	openssl pkey -in release.pem -pubout -out release.pub
	mkdir -p golden/base/12
	"$chain_top/build/assay" manifest create disk.raw --platform small.yaml --name base --release 12 --not-before 2026-01-01 \
		-o golden/base/12/manifest.dsse.json
	cp golden/base/12/manifest.dsse.json unsigned.json
	"$chain_top/build/assay" manifest sign golden/base/12/manifest.dsse.json --key release.pem
	cp -r golden signed
	ln -s "$chain_top/scripts" scripts
	registry_start
}

teardown_file() {
	load registry
	registry_stop
}

setup() {
	load common
	load registry
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	need python3
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is missing"
}

registry() {
	[ -z "$lacks" ] || skip "missing: $lacks"
	cd "$made"
	at=$(registry_at)
}

# steps FILE OUT: each piece of shell into OUT/JOB-N.sh, as its runner would run it; checks what holds the file together.
steps() {
	mkdir -p "$2"
	python3 - "$1" "$2" <<-'EOF'
	import pathlib, re, sys
	import yaml

	path, out = sys.argv[1:]
	text = open(path).read()
	doc = yaml.load(text, yaml.BaseLoader)
	shell = {}
	if path.endswith("github.yml"):
	    assert set(doc) <= {"name", "on", "permissions", "defaults", "jobs"}, set(doc)
	    assert doc["permissions"] == {"contents": "read"}
	    for name, job in doc["jobs"].items():
	        assert set(job) <= {"runs-on", "container", "needs", "if", "environment", "env", "steps"}, (name, set(job))
	        assert job["runs-on"] and job.get("needs", name) in doc["jobs"], name
	        for n, step in enumerate(job["steps"]):
	            assert ("run" in step) != ("uses" in step), (name, step)
	            assert set(step) <= {"name", "id", "run", "uses", "with", "env", "if"}, (name, step)
	            if "uses" in step:
	                assert re.fullmatch(r"actions/[a-z-]+@v[0-9]+", step["uses"]), step
	            else:
	                # What is put in before a shell sees it may be anybody's words.
	                assert "${{" not in step["run"], step
	                shell[f"{name}-{n}"] = step["run"]
	else:
	    words = {"stages", "default", "variables", "workflow"}
	    jobs = {k: v for k, v in doc.items() if k not in words}
	    for name, job in jobs.items():
	        job = {**jobs.get(job.get("extends"), {}), **job} if "extends" in job else job
	        if not name.startswith("."):
	            assert job["stage"] in doc["stages"], name
	            assert all(n in jobs for n in job.get("needs", [])), name
	            assert set(job) <= {"stage", "extends", "tags", "before_script", "script", "rules", "cache", "artifacts",
	                                "needs"}, (name, set(job))
	            shell[name] = "\n".join(job["before_script"] + job["script"]) + "\n"
	assert len(shell) >= 4
	for name, run in shell.items():
	    pathlib.Path(out, name + ".sh").write_text("#!/bin/bash\n" + run)
	# Nobody's registry.
	hosts = set(re.findall(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|io|org|net|dev)\b", text))
	assert hosts == {"registry.example.com"}, hosts
	EOF
}

@test "both files hold together; each step is sound shell; targets, variables and scripts that it names are there" {
	local file step target
	targets=$(make -s -C "$top" help | awk '{ print $2 }')
	for file in github gitlab; do
		steps "$top/docs/ci/$file.yml" "$BATS_TEST_TMPDIR/$file"
		for step in "$BATS_TEST_TMPDIR/$file"/*.sh; do
			bash -n "$step"
			! command -v shellcheck >/dev/null || shellcheck "$step"
		done
		cat "$BATS_TEST_TMPDIR/$file"/*.sh >"$BATS_TEST_TMPDIR/$file.all"
		for target in check golden golden-matrix; do
			grep -qE "^make $target( |\$)" "$BATS_TEST_TMPDIR/$file.all"
		done
		for target in $(grep -oE '(^|[;&( ])make [a-z-]+' "$BATS_TEST_TMPDIR/$file.all" | grep -v install | awk '{ print $NF }' | sort -u); do
			grep -qx "$target" <<<"$targets" || {
				echo "make $target is no job"
				false
			}
		done
		for target in $(grep -oE 'scripts/[a-z-]+\.sh' "$BATS_TEST_TMPDIR/$file.all" | sort -u); do
			[ -x "$top/$target" ]
		done
	done
}

@test "a fault in them would be seen" {
	local n=0 change
	mkdir "$BATS_TEST_TMPDIR/out"
	for change in 's/needs: golden/needs: gold/' 's/ run: echo/ runs: echo/' 's/runs-on/run-on/' 's,uses: actions/cache,uses: other/cache,' \
		's/"$RELEASE_KEY"/"${{ secrets.RELEASE_KEY }}"/' 's/example.com/example.io/'; do
		sed "$change" "$top/docs/ci/github.yml" >"$BATS_TEST_TMPDIR/github.yml"
		run -1 steps "$BATS_TEST_TMPDIR/github.yml" "$BATS_TEST_TMPDIR/out"
		n=$((n + 1))
	done
	for change in 's/stage: golden/stage: gold/' 's/needs: .golden./needs: [gold]/' 's/ script:/ scripts:/' 's/example.com/example.io/'; do
		sed "$change" "$top/docs/ci/gitlab.yml" >"$BATS_TEST_TMPDIR/gitlab.yml"
		run -1 steps "$BATS_TEST_TMPDIR/gitlab.yml" "$BATS_TEST_TMPDIR/out"
		n=$((n + 1))
	done
	[ "$n" -eq 10 ]
}

@test "actionlint finds nothing" {
	need actionlint
	actionlint "$top/docs/ci/github.yml"
}

@test "their schemas, those of check-jsonschema" {
	need check-jsonschema
	check-jsonschema --builtin-schema vendor.github-workflows "$top/docs/ci/github.yml"
	check-jsonschema --builtin-schema vendor.gitlab-ci "$top/docs/ci/gitlab.yml"
}

@test "what the image is made from is one line, as a cache's key wants it" {
	steps "$top/docs/ci/github.yml" "$BATS_TEST_TMPDIR/github"
	step=$(grep -l -e --inputs "$BATS_TEST_TMPDIR"/github/*.sh)
	cd "$top"
	GITHUB_OUTPUT=$BATS_TEST_TMPDIR/output bash -e "$step"
	grep -qxE 'image=[0-9a-f]{64}' "$BATS_TEST_TMPDIR/output"
}

# publish SCRIPT: its steps but for the packages, with this registry.
publish() {
	grep -v '^apt-get ' "$1" >"$BATS_TEST_TMPDIR/publish.sh"
	env REGISTRY="$at" PREFIX="$at/$2" REGISTRY_USER=user REGISTRY_PASSWORD=word CI_COMMIT_TAG=release-12 \
		bash -e -o pipefail "$BATS_TEST_TMPDIR/publish.sh"
}

@test "the steps that publish: pushed once, then there, byte for byte, with the same digest everywhere" {
	registry
	steps "$top/docs/ci/github.yml" "$BATS_TEST_TMPDIR/github"
	steps "$top/docs/ci/gitlab.yml" "$BATS_TEST_TMPDIR/gitlab"
	push=$(grep -l push-manifests "$BATS_TEST_TMPDIR"/github/publish-*.sh)
	run -0 publish "$push" github
	[[ "$output" == *"pushed: $at/github/base:12@sha256:"* ]]
	run -0 publish "$push" github
	[[ "$output" == *"there: $at/github/base:12@sha256:"* ]]
	run -0 publish "$BATS_TEST_TMPDIR/gitlab/publish.sh" gitlab
	[[ "$output" == *"pushed: $at/gitlab/base:12@sha256:"* ]]
	[ "$(oras resolve "$at/gitlab/base:12")" = "$(oras resolve "$at/github/base:12")" ]
	oras pull "$at/gitlab/base:12" -o "$BATS_TEST_TMPDIR/pulled"
	cmp "$BATS_TEST_TMPDIR/pulled/manifest.dsse.json" golden/base/12/manifest.dsse.json
	"$top/build/assay" manifest verify "$BATS_TEST_TMPDIR/pulled/manifest.dsse.json" --key release.pub --at 2026-02-01
}

@test "push-manifests.sh: another manifest under the same number, an unsigned one, none at all, no registry" {
	registry
	local push=$top/scripts/push-manifests.sh
	"$push" "$at/other" golden/base/12/manifest.dsse.json
	openssl genpkey -algorithm ED25519 -out "$BATS_TEST_TMPDIR/key"
	"$top/build/assay" manifest sign unsigned.json --key "$BATS_TEST_TMPDIR/key" -o "$BATS_TEST_TMPDIR/again.json"
	run -1 "$push" "$at/other" "$BATS_TEST_TMPDIR/again.json"
	[[ "$output" == *"$at/other/base:12 is another manifest than"* ]]
	run -1 "$push" "$at/none" unsigned.json
	[[ "$output" == *"nobody has signed it"* ]]
	run -1 "$push" "$at/none" small.yaml
	[[ "$output" == *"no envelope"* ]]
	run -1 oras resolve "$at/none/base:12"
	run -1 "$push" localhost:1/none golden/base/12/manifest.dsse.json
	run -2 "$push" "$at/none"
}
