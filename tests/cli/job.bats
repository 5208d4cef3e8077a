#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The guest's job script (image/root/usr/lib/assay/job): what it measures, in which order, what it hands to podman, and that
# there is no proof when a step fails. podman and the agent are stand-ins that write down their arguments; the real ones run
# in tests/boot/provenance.bats.

bats_require_minimum_version 1.5.0

setup() {
	load common
	top=$PWD
	dir=$BATS_TEST_TMPDIR
	job=$dir/disk/job
	mkdir -p "$job/inputs/code" "$job/inputs/dataset" "$dir/bin"
	cp docs/jobs/digits/job.yaml "$job"
	cp docs/jobs/digits/digits.yaml "$job/configuration.yaml"
	cp docs/jobs/digits/train.py "$job/inputs/code"
	echo 1,2 >"$job/inputs/dataset/digits.csv.gz"
	: >"$dir/results"
	cat >"$dir/bin/assay-agent" <<-'END'
		#!/bin/sh
		echo "agent $*" >>"$CALLS"
		case "agent $*" in *"$BREAKS"*) exit 1 ;; esac
		[ "$1" != proof ] || echo proof >"$3"
	END
	cat >"$dir/bin/podman" <<-'END'
		#!/bin/sh
		echo "podman $*" >>"$CALLS"
		case "podman $1" in "$BREAKS") exit 1 ;; esac
		[ "$1" != image ] || { echo d355; exit; }
		for a; do case $a in --volume=*:/out) out=${a#--volume=}; out=${out%:/out} ;; esac; done
		printf '{\n  "held_out_right": 3,\n  "total_flos": 1200,\n  "x": 1\n}\n' >"$out/report.json"
		mkdir "$out/more" && echo weights >"$out/more/model"
		eval "$DOES"
	END
	chmod +x "$dir"/bin/*
	export CALLS=$dir/calls BREAKS=nothing DOES=
}

job() { # STATUS
	rm -rf "$CALLS" "$dir/space"
	PATH=$dir/bin:$PATH run -"$1" sh "$top/image/root/usr/lib/assay/job" "$job" "$dir/space" "$dir/results"
	echo "$output"
}

refused() { # WORDS: no proof, and that is why
	truncate -s 0 "$dir/results"
	job 1
	[[ $output == *"assay-job: FAILED: "*"$1"*"; there is no proof" ]]
	[ "$(tr -d '\0' <"$dir/results" | wc -c)" -eq 0 ]
}

@test "job: measured before and after the container ran, in one order; outputs and proof are in the tar" {
	[ "$(id -u)" -eq 0 ] || skip "only root gives the container its folder"
	job 0
	sed -E "s,$dir,,g; s,(timing) [0-9.]+$,\1 N," "$CALLS" >"$dir/got"
	diff - "$dir/got" <<-'END'
		agent measure request /space/request
		podman image inspect --format {{.Id}} localhost/assay-base:1
		agent measure container @local/assay-base:1 sha256:d355
		agent measure configuration configuration.yaml
		agent measure input --type code code/train.py
		agent measure input --type dataset dataset/digits.csv.gz
		agent measure sentinel
		podman run --rm --name=job-digits --pull=never --cgroups=disabled --network=none --no-hosts --read-only --cap-drop=all --security-opt=no-new-privileges --user=65534:65534 --volume=/disk/job:/job:ro --volume=/space/out:/out localhost/assay-base:1 python3 /job/inputs/code/train.py /job/configuration.yaml /job/inputs/dataset/digits.csv.gz /out
		agent measure outputs more/model report.json
		agent measure timing N
		agent measure compute 1200
		agent proof -o proof.json
	END
	[ "$(jq -c . "$dir/space/request")" = '{"command":"python3 /job/inputs/code/train.py /job/configuration.yaml /job/inputs/dataset/digits.csv.gz /out","container":"assay-base:1","name":"digits","schema":"assay.job/1"}' ]
	[ "$(tar -tf "$dir/results" | tr '\n' ' ')" = "out/ out/more/ out/more/model out/report.json proof.json " ]
}

@test "job: a step that fails ends it, without a proof" {
	[ "$(id -u)" -eq 0 ] || skip "only root gives the container its folder"
	job 0
	grep -oE '^agent (measure )?[a-z]+|^podman [a-z]+' "$CALLS" | sort -u >"$dir/steps"
	[ "$(wc -l <"$dir/steps")" -eq 11 ]
	while read -r BREAKS; do
		refused ''
	done <"$dir/steps"
	BREAKS=nothing
	# A disk that is too small
	[ -w /dev/full ] || skip "no /dev/full"
	rm "$dir/results"
	ln -s /dev/full "$dir/results"
	job 1
	[[ $output == *"could not be written; there is no proof" ]]
}

@test "job: job.yaml is read in one form and no other" {
	while read -r fault; do
		cp docs/jobs/digits/job.yaml "$job"
		sed -i "$fault" "$job/job.yaml"
		refused job.yaml
		run ! grep -q . "$CALLS"
	done <<-'END'
		/^name/d
		/^schema/d
		/^container/d
		/^command/d
		s/job.1/job\/2/
		$aname: again
		$auser: root
		$a- x
		s/^name: digits/name:digits/
		s/^name: .*/name: a b/
		s/^name: .*/name: -a/
		s/^name: .*/name: $(id)/
		s/^container: .*/container: x --privileged/
		s/^command: .*/command: sh -c *id*/
		s/^command: .*/command: "sh"/
		s/^command: .*/command: --privileged/
	END
	rm "$job/job.yaml"
	refused "job.yaml is missing"
}

@test "job: an input or output that is no plain file, or has an odd name, is refused" {
	local name
	ln -s train.py "$job/inputs/code/link"
	refused "inputs/code/link: not a file or folder"
	rm "$job/inputs/code/link"
	for name in 'a b' $'a\nb' -x 'a$b' ü; do
		: >"$job/inputs/code/$name"
		refused "inputs/code/"
		rm "$job/inputs/code/$name"
	done
	: >"$job/inputs/top"
	refused "inputs/top: not in code/, dataset/ or model/"
	rm "$job/inputs/top"
	[ "$(id -u)" -eq 0 ] || skip "only root gives the container its folder"
	# shellcheck disable=SC2016 # for the stand-in to expand
	for DOES in 'ln -s /etc/passwd "$out/x"' 'echo 1 >"$out/a b"' 'mkfifo "$out/x"' 'rm -r "$out"/*'; do
		refused out
	done
	for DOES in 'rm "$out/report.json"' 'echo {} >"$out/report.json"' 'cat "$out/report.json" "$out/report.json" >y; mv y "$out/report.json"' \
		'echo "  \"total_flos\": 1e9" >"$out/report.json"'; do
		refused report.json
	done
}
