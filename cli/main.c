/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

static const struct assay_verb verbs[] = {
	/* A verb is a row here, a line in cli.h and a file of its name. */
	{ "measure", "[--boot PATH] [--bank LIST] [--initrd] [--allow-backing] [--json] [-o FILE] "
	  "(DISK | --data DISK...)",
	  "Print the facts about a disk: partitions, UEFI programs, and the chain below a command line",
	  assay_cmd_measure },
	{ "ls", "[-lR | --mtree | --digest] [--part P] [--allow-backing] DISK [PATH]",
	  "List a directory of a disk's ESP or another partition",
	  assay_cmd_ls },
	{ "cat", "[--part P] [--allow-backing] [-o FILE] DISK PATH",
	  "Print a file of a disk's ESP or another partition",
	  assay_cmd_cat, "assay-ls(1)" },
	{ "verity", "[--json] (DISK [PART] | --root-hash HEX [OPTION]... DEVICE)",
	  "Check dm-verity data and its hash tree against the root hash", assay_cmd_verity },
	{ "initrd",
	  "[--boot PATH] [-l] [--check] [--json | --mtree | --cat NAME [-o FILE]] [--allow-backing] "
	  "(DISK | UKI | INITRD)",
	  "List an initrd: its archives, the files that the kernel makes of them, its modules",
	  assay_cmd_initrd },
	{ "pe", "[--bank LIST] [--full] [--json] FILE...",
	  "Print the Authenticode digest of UEFI programs, and what they are", assay_cmd_pe },
	{ "log show", "[--json] LOG", "Print a firmware event log, each event in words", assay_cmd_log_show },
	{ "log replay", "[--bank LIST] [--json] LOG", "Print the PCRs that follow from an event log",
	  assay_cmd_log_replay },
	{ "precompute",
	  "DISK --platform FILE.yaml [--bank LIST] [--boot PATH] [--entry ID] "
	  "[--assume-stub VERSION] [--assume-kernel VERSION] [--skip-chain] [--no-image-digest] [--json] [-o FILE]",
	  "Predict the PCRs of a machine that boots a disk", assay_cmd_precompute },
	{ "compare", "FILE [--platform NAME] (--pcrs FILE | --log LOG) [--phase PHASE] [--json]",
	  "Compare a prediction, or a manifest's, with a machine's PCRs or event log", assay_cmd_compare },
	{ "explain", "FILE --log LOG [--pcrs FILE] [--phase PHASE] [--platform NAME] [--json]",
	  "Say why a machine's PCRs are not those of a prediction, or of a manifest's", assay_cmd_explain },
	{ "containers", "[--ids-only] [--json | --measurements | --check FILE] ARCHIVE|DISK...",
	  "Print the IDs of container images in archives and disks, and check their layers", assay_cmd_containers },
	{ "manifest create",
	  "DISK --platform FILE.yaml... --name NAME --release N [--data DISK]... [--not-before TIME] [--expires TIME] "
	  "[OPTION]... [-o FILE]",
	  "Write what a release is: the facts about its disks, and its PCRs on each platform",
	  assay_cmd_manifest_create },
	{ "manifest show", "[--pcrs [--bank LIST]] [--statement] FILE", "Print a manifest in words", assay_cmd_manifest_show },
	{ "diff", "[--platform FILE.yaml]... [--allow-backing] [--json] A B",
	  "Print what changed from one disk or manifest to another, and which PCRs that moves", assay_cmd_diff },
	{ "export",
	  "FILE --format FORMAT [--platform NAME] [--bank LIST] [--pcrs LIST] [--phase PHASE] "
	  "[--key URI [--passphrase-file FILE]] [-o FILE]",
	  "Write a manifest's golden values as keylime, AWS KMS and others read them", assay_cmd_export },
	{ "manifest sign", "FILE --key URI [--cert CHAIN.pem] [--passphrase-file FILE] [-o FILE]", "Add a signature to a manifest",
	  assay_cmd_manifest_sign },
	{ "manifest verify",
	  "FILE (--key PUB | --ca CA.pem --identity NAME)... [--threshold N] [--name NAME] [--min-release N] "
	  "[--state FILE] [--at TIME] [--ignore-unsigned] [--json]",
	  "Check who signed a manifest, and whether it is valid", assay_cmd_manifest_verify },
	{ "audit",
	  "FILE --disk DISK [--data DISK]... [--platform P.yaml]... [--name NAME] [--release N] [--not-before TIME] "
	  "[--expires TIME] [--allow-backing] [--json]",
	  "Make a manifest again from the disk, and say of each of its claims whether it agrees", assay_cmd_audit },
	{ "verify",
	  "PROOF --trust DIR... (--manifest FILE... (--key PUB | --ca CA.pem --identity NAME)... [--state FILE] [--min-release N] "
	  "[--platform NAME] | --pcrs FILE) [--log-pcr N] [--nonce HEX] [--tls-cert FILE] [--at TIME] [--expect K=V]... "
	  "[--ignore-pcr N]... [--phase PHASE] [--json]",
	  "Check a machine's proof: its key, its quote, and that it runs what a manifest says", assay_cmd_verify },
	{ "connect",
	  "URL --manifest FILE... (--key PUB | --ca CA.pem --identity NAME)... --trust PATH... [--get PATH [-o FILE]] "
	  "[--any-name] [--timeout SECONDS] [--max-size BYTES] [--save-proof FILE] [--json] [OPTION]...",
	  "Verify a server by a fresh proof, and ask it something over the same connection", assay_cmd_connect },
	{ "ca init", "DIR --name NAME [--days N]", "Make a CA for attestation keys", assay_cmd_ca_init },
	{ "ca challenge", "DIR REQUEST --ek-trust PATH [-o CHALLENGE]",
	  "Check a machine's endorsement key, and make a challenge for its attestation key", assay_cmd_ca_challenge },
	{ "ca issue", "DIR REQUEST ANSWER [--days N] [-o CERT.pem]", "Issue the certificate when the challenge is answered",
	  assay_cmd_ca_issue },
	{ "platform probe", "--qemu COMMAND [OPTION]... -o FILE.yaml",
	  "Boot the probe on a QEMU machine and write the machine's profile",
	  assay_cmd_platform_probe },
	{ "platform learn", "--log LOG (--probe PROBE.EFI | --disk DISK) [OPTION]... -o FILE.yaml",
	  "Make a platform profile out of a machine's event log", assay_cmd_platform_learn },
	{ "platform show", "[--json] FILE.yaml", "Print a platform profile in words",
	  assay_cmd_platform_show },
	{ 0 },
};

int main(int argc, char **argv)
{
	return assay_cli_dispatch("assay", "assay(1)", verbs, argc, argv);
}
