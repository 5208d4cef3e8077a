/* SPDX-License-Identifier: Apache-2.0 */
/* Every ceiling on foreign input, each with its reason. Tests go one below, to, and one past each. */
#ifndef ASSAY_CORE_LIMITS_H
#define ASSAY_CORE_LIMITS_H

/* A prediction of a base image has some hundred events; containers and phases add hundreds more. */
#define ASSAY_JSON_MAX_FILE (64U << 20)
#define ASSAY_JSON_MAX_DEPTH 64
/* A manifest: facts of some 30 KiB and a prediction of as much for each platform; a hundred platforms fit. */
#define ASSAY_MANIFEST_MAX (16U << 20)
/* Files and packages of one change that are told by name: a screenful; all are counted. */
#define ASSAY_DIFF_MAX_DETAILS 20U
/* Who signs one: a build system, a release engineer, auditors. Each is tried with each trusted key. */
#define ASSAY_DSSE_MAX_SIGNATURES 64U
/* RSA with 16384 bits has 2 KiB. */
#define ASSAY_DSSE_MAX_SIGNATURE (16U << 10)
/* A signer's certificate and what leads to its CA, as PEM: some KiB each. */
#define ASSAY_DSSE_MAX_CERTS (256U << 10)
/* A key's file: RSA with 16384 bits has 13 KiB in PEM; a comment may stand before it. */
#define ASSAY_KEY_MAX_FILE (1U << 20)
/* OpenSSL checks no longer ones: OPENSSL_RSA_MAX_MODULUS_BITS. */
#define ASSAY_KEY_MAX_RSA_BITS 16384U
/* Objects that a store gives for one URI; a token that is asked for everything it has may hold hundreds. */
#define ASSAY_KEY_MAX_OBJECTS 4096U
/* Images that one client follows: 200 bytes each. */
#define ASSAY_RELEASES_MAX_FILE (4U << 20)
/* A proof: a firmware log of some 70 KiB, a runtime log of a few hundred records of some 500 bytes. A tenfold of a large one. */
#define ASSAY_PROOF_MAX_FILE (8U << 20)
/* Of a proof's quote, signature, public area: an attestation has 200 bytes, RSA with 16384 bits 2 KiB, PCR values 1732. */
#define ASSAY_PROOF_MAX_FIELD (16U << 10)
/* One certificate in DER: 1 to 2 KiB. */
#define ASSAY_PROOF_MAX_CERT (64U << 10)
/* Events of AICert's logs: an image, a configuration, each model and data set. */
#define ASSAY_PROOF_MAX_OLD_EVENTS 4096U
/* Expectations of one client: each input and output of a job, by name. */
#define ASSAY_EXPECT_MAX 4096U
/* Records of one PCR that are searched for the one that was added or moved: the search is quadratic. */
#define ASSAY_LOG_SEARCH_MAX 128U
/* CAs of one way: a root and two below it are usual. */
#define ASSAY_CHAIN_MAX_CERTS 16U
/* A file of anchors: that of all public CAs has some 150, in 230 KiB. */
#define ASSAY_CA_MAX_CERTS 1024U
#define ASSAY_CA_MAX_FILE (4U << 20)
/* `assay connect`: how often a server may say that it is busy; the longest wait, a day; an answer, unless one asks for more. */
#define ASSAY_CONNECT_MAX_RETRIES 5U
#define ASSAY_CONNECT_MAX_TIMEOUT 86400U
#define ASSAY_CONNECT_MAX_BODY (64U << 20)
/* A CoRIM of one image on a hundred platforms is below 1 MiB, and some ten levels deep. */
#define ASSAY_CBOR_MAX_SIZE (16U << 20)
#define ASSAY_CBOR_MAX_DEPTH 32
#define ASSAY_CBOR_MAX_NODES 1000000
/* The largest profile seen, with every db entry of a laptop spelled out, is below 1 MiB. */
#define ASSAY_YAML_MAX_FILE (4U << 20)
#define ASSAY_YAML_MAX_DEPTH 16
#define ASSAY_YAML_MAX_NODES 200000
/* YAML itself ends an unmarked key after 1024 characters (1.2.2, 7.4.2); escaped, a byte may take 4. */
#define ASSAY_YAML_MAX_KEY 200

/* A server with many option ROMs and boot entries logs some 200 events before its boot loader. */
#define ASSAY_PLATFORM_MAX_EVENTS 4096
/* Firmware versions that a vendor has in use at one time. */
#define ASSAY_PLATFORM_MAX_VALUES 64
/* Boot options that fail before the disk's: a UEFI machine has a handful. */
#define ASSAY_PLATFORM_MAX_TRIES 64
/* Files beside a manifest that are hashed in search of its profiles: a folder of golden values has some tens. */
#define ASSAY_PROFILES_MAX_FILES 1024
/* Answers kept of what a UKI is hashed to: one for each set of banks, with Secure Boot on and off, of a few UKIs. */
#define ASSAY_UKI_MEMO_MAX 32
/* An event's data in a profile: the largest is dbx, some 24 KiB in 2025; firmware stores hold 256 KiB. */
#define ASSAY_PLATFORM_MAX_DATA (256 << 10)

/* Extents of one file: a 2 GiB file of single 512-byte clusters would have four million. */
#define ASSAY_SRC_MAX_EXTENTS (1U << 22)
/* Parts of a joined source: a boot entry's initrds and the padding between them. */
#define ASSAY_SRC_MAX_PARTS 1024U

/*
 * Event logs. Firmware gives a log area of 64 KiB to some MiB; the largest log met has below 5000
 * events, and its largest event (a dbx) 24 KiB.
 */
#define ASSAY_EVENTLOG_MAX (16U << 20)
#define ASSAY_EVENTLOG_MAX_EVENTS (1U << 16)
#define ASSAY_EVENTLOG_MAX_DATA (1U << 20) /* of one event */
#define ASSAY_EVENTLOG_MAX_ALGS 16	   /* HASH_COUNT of the TPM library is far below */

/*
 * The probe's report inside a serial capture. Clouds keep 64 KiB to 1 MiB of a console; the largest
 * log makes 24 MiB of lines.
 */
#define ASSAY_PROBELOG_MAX_TEXT (64U << 20)
#define ASSAY_PROBELOG_MAX_LINE 256 /* the probe's own */

/* A text of PCR values: 4 banks of 24 PCRs, 140 characters a line, and room for comments. */
#define ASSAY_PCRS_MAX_FILE (1U << 20)

/* A dbx of today has some 430 signatures in a few lists; a variable store holds far less than this. */
#define ASSAY_SIGDB_MAX (4U << 20)
#define ASSAY_SIGDB_MAX_ENTRIES (1U << 16)

/* Nodes of one device path: real ones have below ten. */
#define ASSAY_DEVPATH_MAX_NODES 128
/* PE: UNIFIED_PROFILES_MAX profiles of a dozen sections each; Windows loads no more than 96. */
#define ASSAY_PE_MAX_SECTIONS 4096
/* shim with two signatures has 19 KiB of certificates; OpenSSL is to parse no more than this. */
#define ASSAY_PE_MAX_CERT_TABLE (1U << 20)
#define ASSAY_PE_MAX_CERTS 16
/* Gaps come from alignment (at most 64 KiB each); what follows them is then held in memory. */
#define ASSAY_PE_MAX_GAP_TAIL (4U << 20)
/* Zeros of a section beyond its data: alignment, or a .bss; no reason to hash gigabytes of them. */
#define ASSAY_PE_MAX_ZEROS (64U << 20)
/* UNIFIED_PROFILES_MAX of systemd. */
#define ASSAY_UKI_MAX_PROFILES 256
/* The largest SBAT seen has 9 rows, 800 bytes. */
#define ASSAY_SBAT_MAX_SIZE (64U << 10)
#define ASSAY_SBAT_MAX_ROWS 256
/* .sdmagic holds one line of some 50 bytes, padded to the file's alignment. */
#define ASSAY_SDMAGIC_MAX 4096
/* The kernel's own is below 200 bytes: release, builder, host, date. */
#define ASSAY_LINUX_VERSION_MAX 512

/* GPT: every known tool writes 128 entries of 128 bytes; Android and partitioners go to some hundred. */
#define ASSAY_GPT_MAX_ENTRIES 4096
/* 128 x 2^n (UEFI 2.10, 5.3.2); none but 128 has been met. A sector of the largest kind holds one. */
#define ASSAY_GPT_MAX_ENTRY_SIZE 4096
/* The whole table is held in memory, twice while the backup is compared. */
#define ASSAY_GPT_MAX_TABLE (1U << 20)

/* A disk inside a file of another format. Clouds' disks end at 64 TiB, and that is half a day of hashing. */
#define ASSAY_DISK_MAX_SIZE (64ULL << 40)
/* What a compressed file unpacks to: its data has to fit into a temporary file, its zeros take nothing but time. */
#define ASSAY_DISK_MAX_UNPACKED (4ULL << 40)
/* Files behind one disk: a backing file behind a backing file, ...; extents of a VMDK of 2 GB each. */
#define ASSAY_DISK_MAX_BACKING 8U
#define ASSAY_VMDK_MAX_EXTENTS 4096U
/* VMware's descriptors have some hundred bytes, and 64 KiB of room; qemu reads 20 KiB. */
#define ASSAY_VMDK_MAX_DESCRIPTOR (1U << 20)
/* qemu's own ceiling on the first-level table of a qcow2: 32 MiB of entries. */
#define ASSAY_QCOW2_MAX_L1 (4U << 20)

/* FAT: a directory holds at most 65536 entries of 32 bytes (Microsoft FAT specification, section 6). */
#define ASSAY_FAT_MAX_DIR_ENTRIES 65536U
/* 20 long-name entries of 13 UTF-16 units; the format's names have up to 255 of the 260. */
#define ASSAY_FAT_MAX_LFN_ENTRIES 20U
/* Contiguous runs of one file: 256 Ki runs are 4 MiB here; a 128 MiB UKI with no two of its
 * 512-byte clusters beside each other still fits. */
#define ASSAY_FAT_MAX_RUNS (1U << 18)
/* Components of a path. FAT paths have at most 260 characters, UEFI device paths are of like size. */
#define ASSAY_FS_MAX_DEPTH 64U
/* Bytes of a path: 64 components of 255 units, three bytes each, are 49 KB; nobody has such. */
#define ASSAY_FS_MAX_PATH 4096U
/* Symbolic links on the way to one file; Linux's own MAXSYMLINKS. */
#define ASSAY_FS_MAX_LINKS 40U
/* Names of one directory: a distribution's largest has some ten thousand; each costs some 60 bytes here. */
#define ASSAY_FS_MAX_ENTRIES (1U << 20)
/* Names in one tree: a distribution's root has some hundred thousand. */
#define ASSAY_FS_MAX_NODES (1U << 22)
/* Pieces of all files of one filesystem in a map of it; each costs 72 bytes there. */
#define ASSAY_FS_MAX_REGIONS (1U << 20)
/* Files of one tree that is hashed: a large model's weights; some hours. Packed zeros cost nothing to make. */
#define ASSAY_FS_MAX_TREE_BYTES (2ULL << 40)
/* Unpacked blocks kept of one filesystem; 16 blocks of squashfs's largest kind. */
#define ASSAY_FS_BLOCK_CACHE ((size_t)16 << 20)
/* One squashfs directory: half a million names of usual length; its own field is 32 bits wide. */
#define ASSAY_SQFS_MAX_DIR (16U << 20)
/* Blocks of one squashfs file: half a TiB with blocks of the usual 128 KiB; each costs 4 bytes here. */
#define ASSAY_SQFS_MAX_BLOCKS (1U << 22)
/* dpkg's status: a desktop of 5000 packages has some 8 MiB. All of Debian is some 65,000 packages. */
#define ASSAY_DPKG_MAX_STATUS (64U << 20)
#define ASSAY_DPKG_MAX_PACKAGES (1U << 16)
/* Accepted values of one PCR: the product of its events' sets. Vendors change one or two of them. */
#define ASSAY_MAX_ACCEPTED 64
/* Events of one PCR in a prediction; a GRUB machine with a long script has some hundred. */
#define ASSAY_PREDICTION_MAX_EVENTS 65536
/* Pairs of a predicted and a logged event of one PCR that are looked at; a thousand events on each side. */
#define ASSAY_ALIGN_MAX_PAIRS (1U << 20)
/* Events of one PCR past which nobody looks for the cause of a difference: each is then told as it is. */
#define ASSAY_EXPLAIN_MAX_EVENTS 1024U
/* systemd has six phases. */
#define ASSAY_MAX_PHASES 64

/* Sections of a UKI that are read whole (command line, os-release, keys, signatures): some KB each. */
#define ASSAY_UKI_TEXT_MAX (1U << 20)
/* Credentials and extensions beside a UKI, all of one kind together: the stub holds them in memory. */
#define ASSAY_SIDECAR_MAX (512ULL << 20)

/* loader.conf and entries are some hundred bytes; the boot loader itself would take them of any size. */
#define ASSAY_LOADER_MAX_FILE (1U << 18)
/* initrd lines of one entry: mkosi and kernel-install write up to three. */
#define ASSAY_LOADER_MAX_INITRDS 128U
/* Entries of all kinds: a menu of some thousand is no menu, and they are sorted by insertion. */
#define ASSAY_LOADER_MAX_ENTRIES 4096U

/* cryptsetup's bounds on dm-verity's block sizes; the kernel's upper one is its page size. */
#define ASSAY_VERITY_MIN_BLOCK 512U
#define ASSAY_VERITY_MAX_BLOCK (512U << 10)
/* Faults of one tree that are listed; all are counted. */
#define ASSAY_VERITY_MAX_FAULTS 64
/* COMMAND_LINE_SIZE of Linux on x86 and arm64: it keeps one byte less, and its end mark. */
#define ASSAY_CMDLINE_MAX 2048U
/* Root hashes on one disk: two for each UKI on it, and A and B partitions besides. */
#define ASSAY_VERITY_MAX_PAIRS 256

/* Files and folders of an ESP: some dozen; a machine with vendors' firmware folders some thousand. */
#define ASSAY_ESP_MAX_FILES 65536

/*
 * Regions of a disk that are told apart: an ESP of a hundred files has some thousand; each is 150 bytes of
 * JSON. A disk with more (a file in many pieces) is told about more coarsely.
 */
#define ASSAY_REGIONS_MAX (1U << 16)

/*
 * Container archives. `docker save` writes three to six entries for each layer; nothing is
 * extracted, an entry costs its name.
 */
#define ASSAY_TAR_MAX_ENTRIES 65536U
#define ASSAY_TAR_MAX_NAME 4096U      /* PATH_MAX */
#define ASSAY_TAR_MAX_PAX (1U << 20)  /* one extended header; libarchive and Go allow as much */
#define ASSAY_TAR_MAX_LINKS 8U	      /* links one after another; docker save wrote single ones */
/* containers/image allows 4 MiB for a manifest and for a configuration. */
#define ASSAY_CONTAINER_MAX_JSON (4U << 20)
#define ASSAY_CONTAINER_MAX_IMAGES 1024U
/* overlayfs takes 500 lower directories; Docker stops at 127. */
#define ASSAY_CONTAINER_MAX_LAYERS 512U
#define ASSAY_CONTAINER_MAX_NAMES 1024U /* of one image */
#define ASSAY_CONTAINER_MAX_NESTING 4U	/* indexes in indexes; docker save writes one in another */
/* References in all indexes and manifests together: 1024 images with some hundred layers each. */
#define ASSAY_CONTAINER_MAX_DESCRIPTORS (1U << 17)
/* A layer when unpacked: a large model's weights; some hours of hashing. */
#define ASSAY_CONTAINER_MAX_LAYER (2ULL << 40)
/* Archives in one filesystem; a base image has a handful. */
#define ASSAY_CONTAINER_MAX_ARCHIVES 4096U
/* Headers of any tar file that is looked at for images: a Linux source archive has 90,000, a data set a million. */
#define ASSAY_SCAN_MAX_ENTRIES (1U << 21)
/* An archive that is packed as a whole, when unpacked: it fills a disk, so less than what is read in place. */
#define ASSAY_CONTAINER_MAX_SPOOL (256ULL << 30)

/*
 * Initrds. A header's size field ends at 4 GiB a file; what is unpacked lies in memory, and the
 * largest met, live systems with their root filesystem inside, have some GiB.
 */
#define ASSAY_INITRD_MAX_UNPACKED (8ULL << 30)
#define ASSAY_INITRD_MAX_ARCHIVES 65536U
/* A distribution's initrd of all modules has some ten thousand members. */
#define ASSAY_INITRD_MAX_MEMBERS (1U << 18)
#define ASSAY_INITRD_MAX_NAMES (64U << 20) /* bytes of all names and link targets */
/* Names of an initrd that facts tell one by one: the base image's has 700, each 100 bytes of JSON. */
#define ASSAY_INITRD_MAX_TOLD 4096U
#define ASSAY_CPIO_MAX_NAME 4096U	   /* PATH_MAX; the kernel passes over longer ones */
/* bootconfig: XBC_DATA_MAX of the kernel is 32 KiB. */
#define ASSAY_BOOTCONFIG_MAX (32U << 10)
/* Memory of an xz or lzma decoder: xz -9 asks for 65 MiB. And zstd's own limit for windows. */
#define ASSAY_UNPACK_MAX_MEMORY (160ULL << 20)
#define ASSAY_UNPACK_MAX_WINDOW_LOG 27
/* A kernel module: the largest of Debian's 6.12, amdgpu, has 24 MiB with its symbols. */
#define ASSAY_MODULE_MAX (256U << 20)
#define ASSAY_ELF_MAX_SECTIONS 65280U /* SHN_LORESERVE */
/* Different kernel releases, and different vermagics, that are told about: one is right. */
#define ASSAY_MODULE_MAX_RELEASES 64U

/*
 * Runtime logs. A text is a request or a configuration, some KiB of JSON; a chat template or a data set in it some hundred.
 * Records: each container, file of weights, input and output is one; a model in pieces has some hundred.
 */
#define ASSAY_RUNTIME_MAX_TEXT (1U << 20)
#define ASSAY_CEL_MAX_RECORDS (1U << 16)
/* Items of one "outputs", files of one call that measures. */
#define ASSAY_RUNTIME_MAX_ITEMS (1U << 16)

/* The agent's configuration: names of one certificate; proofs that wait, some KiB each, of a TPM that makes one or two a second. */
#define ASSAY_AGENT_MAX_NAMES 64U
#define ASSAY_AGENT_MAX_QUEUE 65536U
/* Fewer connections than this, and a handful of slow clients are all there are. */
#define ASSAY_SERVE_MIN_CONNECTIONS 8U
/* A day: neither a proof's age nor a wait of more is meant. */
#define ASSAY_SERVE_MAX_SECONDS 86400U
/* A request for a proof: a nonce has 128 digits; reverse proxies and browsers add some KiB of headers. */
#define ASSAY_SERVE_MAX_HEADERS (16U << 10)
/* What comes with methods that are refused, and is read so that they can be told. */
#define ASSAY_SERVE_MAX_BODY (64U << 10)

/* A request for a certificate, a challenge, an answer: an endorsement key's certificate is 1 to 2 KiB of it. */
#define ASSAY_ENROLL_MAX_FILE (64U << 10)

#endif
