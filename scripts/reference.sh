# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The reference machine that `make golden` predicts and `make boot` boots: q35, one CPU, 2 GiB, tpm-crb, this
# system's OVMF, two virtio disks. The second disk takes the guest's report (serial number
# "capture"); it is part of the machine in both, because each device is in the firmware's tables.

# shellcheck disable=SC2034,SC2054 # for those that source this file; the commas are swtpm's
reference_options=(--machine q35 --smp 1 --memory 2048 --tpm crb --banks sha1,sha256,sha384)
reference_name=q35-$(dpkg-query -W -f 'ovmf-${Version}' ovmf 2>/dev/null || echo ovmf)
reference_name=${reference_name//[^A-Za-z0-9._-]/-}
