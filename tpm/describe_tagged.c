/* SPDX-License-Identifier: Apache-2.0 */
/* Data with a tag or signature of its own: EV_EVENT_TAG, EV_NO_ACTION, SPDM. */
#include <inttypes.h>
#include <string.h>

#include "core/guid.h"
#include "tpm/event.h"
#include "tpm/event_build.h"
#include "tpm/words_priv.h"

/* Windows' logs nest these (wbcl.h: SIPAEVENT_*); an aggregation holds more of them. */
#define SIPA_AGGREGATION 0x40000000U
#define SIPA_NONMEASURED 0x80000000U
#define SIPA_MAX_DEPTH 3

struct tag {
	uint32_t id;
	const char *name;
};

/* Linux: drivers/firmware/efi/libstub/efistub.h. systemd: src/fundamental/tpm2-pcr.h. */
static const struct tag linux_tags[] = {
	{ ASSAY_TAG_LINUX_INITRD, "initrd" },
	{ ASSAY_TAG_LINUX_LOAD_OPTIONS, "kernel's load options" },
	{ ASSAY_TAG_SYSTEMD_LOADER_CONF, "loader.conf" },
	{ ASSAY_TAG_SYSTEMD_DEVICETREE_ADDON, "devicetree addon" },
	{ ASSAY_TAG_SYSTEMD_INITRD_ADDON, "initrd addon" },
	{ ASSAY_TAG_SYSTEMD_UCODE_ADDON, "microcode addon" },
	{ ASSAY_TAG_SYSTEMD_UKI_PROFILE, "UKI profile" },
	{ 0 },
};

static const struct tag sipa_tags[] = {
	{ 0x40010001U, "TrustBoundary" },
	{ 0x40010002U, "ELAMAggregation" },
	{ 0x40010003U, "LoadedModuleAggregation" },
	{ 0xc0010004U, "TrustPointAggregation" },
	{ 0x40010005U, "KSRAggregation" },
	{ 0x40010006U, "KSRSignedMeasurementAggregation" },
	{ 0x00020001U, "Information" },
	{ 0x00020002U, "BootCounter" },
	{ 0x00020003U, "TransferControl" },
	{ 0x00020004U, "ApplicationReturn" },
	{ 0x00020005U, "BitLockerUnlock" },
	{ 0x00020006U, "EventCounter" },
	{ 0x00020007U, "CounterID" },
	{ 0x00020008U, "MORBitNotCancelable" },
	{ 0x00020009U, "ApplicationSVN" },
	{ 0x0002000aU, "SVNChainStatus" },
	{ 0x0002000bU, "MORBitAPIStatus" },
	{ 0x00040001U, "BootDebugging" },
	{ 0x00040002U, "BootRevocationList" },
	{ 0x00050001U, "OSKernelDebug" },
	{ 0x00050002U, "CodeIntegrity" },
	{ 0x00050003U, "TestSigning" },
	{ 0x00050004U, "DataExecutionPrevention" },
	{ 0x00050005U, "SafeMode" },
	{ 0x00050006U, "WinPE" },
	{ 0x00050007U, "PhysicalAddressExtension" },
	{ 0x00050008U, "OSDevice" },
	{ 0x00050009U, "SystemRoot" },
	{ 0x0005000aU, "HypervisorLaunchType" },
	{ 0x0005000bU, "HypervisorPath" },
	{ 0x0005000cU, "HypervisorIOMMUPolicy" },
	{ 0x0005000dU, "HypervisorDebug" },
	{ 0x0005000eU, "DriverLoadPolicy" },
	{ 0x0005000fU, "SIPolicy" },
	{ 0x00050010U, "HypervisorMMIONXPolicy" },
	{ 0x00050011U, "HypervisorMSRFilterPolicy" },
	{ 0x00050012U, "VSMLaunchType" },
	{ 0x00050013U, "OSRevocationList" },
	{ 0x00050014U, "SMTStatus" },
	{ 0x00050020U, "VSMIDKInfo" },
	{ 0x00050021U, "FlightSigning" },
	{ 0x00050022U, "PagefileEncryptionEnabled" },
	{ 0x00050023U, "VSMIDKSInfo" },
	{ 0x00050024U, "HibernationDisabled" },
	{ 0x00050025U, "DumpsDisabled" },
	{ 0x00050026U, "DumpEncryptionEnabled" },
	{ 0x00050027U, "DumpEncryptionKeyDigest" },
	{ 0x00050028U, "LSAIsoConfig" },
	{ 0x00060001U, "NoAuthority" },
	{ 0x00060002U, "AuthorityPubKey" },
	{ 0x00070001U, "FilePath" },
	{ 0x00070002U, "ImageSize" },
	{ 0x00070003U, "HashAlgorithmID" },
	{ 0x00070004U, "AuthenticodeHash" },
	{ 0x00070005U, "AuthorityIssuer" },
	{ 0x00070006U, "AuthoritySerial" },
	{ 0x00070007U, "ImageBase" },
	{ 0x00070008U, "AuthorityPublisher" },
	{ 0x00070009U, "AuthoritySHA1Thumbprint" },
	{ 0x0007000aU, "ImageValidated" },
	{ 0x0007000bU, "ModuleSVN" },
	{ 0x0007000dU, "ModuleOriginalFilename" },
	{ 0x0007000eU, "ModuleVersion" },
	{ 0x00090001U, "ELAMKeyname" },
	{ 0x00090002U, "ELAMConfiguration" },
	{ 0x00090003U, "ELAMPolicy" },
	{ 0x00090004U, "ELAMMeasured" },
	{ 0x000a0001U, "VBSVSMRequired" },
	{ 0x000a0002U, "VBSSecureBootRequired" },
	{ 0x000a0003U, "VBSIOMMURequired" },
	{ 0x000a0004U, "VBSMMIONXRequired" },
	{ 0x000a0005U, "VBSMSRFilteringRequired" },
	{ 0x000a0006U, "VBSMandatoryEnforcement" },
	{ 0x000a0007U, "VBSHVCIPolicy" },
	{ 0x000a0008U, "VBSMicrosoftBootChainRequired" },
	{ 0 },
};

static const char *tag_name(const struct tag *tags, uint32_t id)
{
	for (; tags->name; tags++) {
		if (tags->id == id)
			return tags->name;
	}
	return NULL;
}

/* Identifiers of Windows: a class from 1 to 0xc in the upper half, below the two flags. */
static bool is_sipa(uint32_t id)
{
	const uint32_t class = (id & ~(SIPA_AGGREGATION | SIPA_NONMEASURED)) >> 16;

	return class >= 1 && class <= 0xf;
}

static void words_sipa_value(struct assay_str *s, struct assay_cur c)
{
	if (c.left == 1)
		assay_str_add(s, "%u", assay_cur_u8(&c));
	else if (c.left == 4)
		assay_str_add(s, "0x%x", assay_cur_le32(&c));
	else if (c.left == 8)
		assay_str_add(s, "0x%" PRIx64, assay_cur_le64(&c));
	else if (assay_words_is_utf16(c.p,
				      c.left)) /* its strings are; a hash may look like ASCII */
		assay_words_guess(s, c.p, c.left);
	else
		assay_words_hex(s, c.p, c.left);
}

/* A run of {u32 id, u32 size, data}, of which an aggregation's data is one again. */
static void words_sipa(struct assay_str *s, struct assay_cur *c, unsigned depth)
{
	struct assay_err err;
	bool first = true;

	while (c->left > 0 && !c->bad) {
		const uint32_t id = assay_cur_le32(c);
		const uint32_t size = assay_cur_le32(c);
		const char *name = tag_name(sipa_tags, id);
		struct assay_cur in = assay_cur_sub(c, size);

		if (c->bad)
			break;
		assay_str_add(s, "%s", first ? "" : ", ");
		first = false;
		if (name)
			assay_str_add(s, "%s=", name);
		else
			assay_str_add(s, "0x%08x=", id);
		if (!(id & SIPA_AGGREGATION)) {
			words_sipa_value(s, in);
		} else if (depth == SIPA_MAX_DEPTH) {
			assay_words_hex(s, in.p, in.left);
		} else {
			assay_str_add(s, "{");
			words_sipa(s, &in, depth + 1);
			assay_str_add(s, "}");
		}
	}
	if (assay_cur_done(c, "Windows event", &err) < 0) {
		assay_str_add(s, "%s", first ? "" : ", ");
		assay_words_malformed(s, &err);
	}
}

void assay_words_tagged(struct assay_str *s, const struct assay_event *ev)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	struct assay_cur peek = c;
	struct assay_err err;
	bool first = true;

	if (ev->data_len == 0) {
		assay_str_add(s, "tagged event without data");
		return;
	}
	if (is_sipa(assay_cur_le32(&peek)) && !peek.bad) {
		assay_str_add(s, "Windows: ");
		words_sipa(s, &c, 0);
		return;
	}
	while (c.left > 0) {
		const uint32_t id = assay_cur_le32(&c);
		const uint32_t size = assay_cur_le32(&c);
		const uint8_t *p = assay_cur_take(&c, size);
		const char *name = tag_name(linux_tags, id);

		if (!p)
			break;
		assay_str_add(s, "%s", first ? "" : ", ");
		first = false;
		if (name)
			assay_str_add(s, "%s: ", name);
		else
			assay_str_add(s, "tag 0x%08x: ", id);
		assay_words_guess(s, p, size);
	}
	if (assay_cur_done(&c, "tagged event", &err) < 0) {
		assay_str_add(s, first ? "tagged event " : "; ");
		assay_words_malformed(s, &err);
	}
}

/* The structures of an event log's header (PFP 1.06, 10.4.5). */
static void words_spec_id(struct assay_str *s, const struct assay_event *ev, bool agile)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	struct assay_err err;

	assay_cur_skip(&c, 16);

	const uint32_t class = assay_cur_le32(&c);
	const unsigned minor = assay_cur_u8(&c);
	const unsigned major = assay_cur_u8(&c);
	const unsigned errata = assay_cur_u8(&c);

	assay_cur_skip(&c, 1); /* size of UINTN */
	assay_str_add(s, "log header: specification %u.%u errata %u, %s", major, minor, errata,
		      class == 0   ? "client"
		      : class == 1 ? "server"
				   : "unknown platform class");
	if (agile) {
		const uint32_t n = assay_cur_le32(&c);

		for (uint32_t i = 0; i < n && !c.bad; i++) {
			const uint16_t id = assay_cur_le16(&c);
			const uint16_t size = assay_cur_le16(&c);
			enum assay_bank bank;

			if (c.bad)
				break;
			if (assay_bank_from_tcg_id(id, &bank))
				assay_str_add(s, ", %s", assay_bank_name(bank));
			else
				assay_str_add(s, ", algorithm 0x%04x of %u bytes", id, size);
		}
	}
	if (assay_cur_done(&c, "Spec ID event", &err) < 0) {
		assay_str_add(s, "; ");
		assay_words_malformed(s, &err);
	}
}

static void words_locality(struct assay_str *s, const struct assay_event *ev)
{
	if (ev->data_len < 17)
		assay_str_add(s, "startup locality: malformed: no locality (at byte 0x%" PRIx64 ")",
			      ev->data_at + 16);
	else
		assay_str_add(s, "startup locality %u: PCR 0 starts at %u", ev->data[16],
			      ev->data[16]);
}

/* A string with its length in a byte before it, of SP800-155 events. */
static void words_counted(struct assay_str *s, struct assay_cur *c, const char *what)
{
	const size_t n = assay_cur_u8(c);
	const uint8_t *p = assay_cur_take(c, n);

	if (!p)
		return;
	assay_str_add(s, ", %s \"", what);
	assay_words_utf8(s, p, n);
	assay_str_add(s, "\"");
}

/* Where to find the firmware's reference manifest: SP800-155 Event, Event2 and Event3. */
static void words_sp800_155(struct assay_str *s, const struct assay_event *ev)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	struct assay_err err;
	uint8_t guid[16];
	char text[37];

	assay_cur_skip(&c, 15);

	const char version = (char)assay_cur_u8(&c);
	const uint32_t vendor = assay_cur_le32(&c);

	assay_cur_copy(&c, guid, sizeof(guid));
	assay_str_add(s, "reference manifest %s of vendor %u", assay_guid_text(guid, text), vendor);
	if (version == '2' || version == '3') {
		words_counted(s, &c, "platform of");
		words_counted(s, &c, "model");
		words_counted(s, &c, "version");
		words_counted(s, &c, "firmware of");
		assay_cur_skip(&c, 4); /* firmware manufacturer's number */
		words_counted(s, &c, "firmware version");
	}
	if (version == '3') {
		const uint32_t type = assay_cur_le32(&c);
		const uint32_t n = assay_cur_le32(&c);
		const uint8_t *p = assay_cur_take(&c, n);

		if (p && type == 1) {
			assay_str_add(s, ", at ");
			assay_words_guess(s, p, n);
		} else if (p && n) {
			static const char *const types[] = { "given here", "", "at a device path",
							     "in a UEFI variable" };

			assay_str_add(s, ", %s (%u bytes)", type < 4 ? types[type] : "elsewhere",
				      n);
		}
	}
	if (assay_cur_done(&c, "SP800-155 event", &err) < 0) {
		assay_str_add(s, "; ");
		assay_words_malformed(s, &err);
	}
}

void assay_words_no_action(struct assay_str *s, const struct assay_event *ev)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	char sig[17] = { 0 };

	if (ev->data_len >= 16)
		memcpy(sig, ev->data, 16);
	if (strcmp(sig, "Spec ID Event03") == 0) {
		words_spec_id(s, ev, true);
	} else if (strcmp(sig, "Spec ID Event00") == 0 || strcmp(sig, "Spec ID Event02") == 0) {
		words_spec_id(s, ev, false);
	} else if (strcmp(sig, "StartupLocality") == 0) {
		words_locality(s, ev);
	} else if (strcmp(sig, "SP800-155 Event") == 0 || strcmp(sig, "SP800-155 Event2") == 0 ||
		   strcmp(sig, "SP800-155 Event3") == 0) {
		words_sp800_155(s, ev);
	} else if (is_sipa(assay_cur_le32(&c)) && !c.bad) {
		c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
		assay_str_add(s, "Windows: ");
		words_sipa(s, &c, 0);
	} else {
		assay_str_add(s, "not extended: ");
		if (sig[0] && assay_words_is_utf8((const uint8_t *)sig, strlen(sig))) {
			/* "NvIndexDynamic", "H-CRTM CompMeas": a name, then binary data */
			assay_words_utf8(s, (const uint8_t *)sig, strlen(sig));
			assay_str_add(s, ", ");
			assay_words_guess(s, ev->data + 16, ev->data_len - 16);
		} else {
			assay_words_guess(s, ev->data, ev->data_len);
		}
	}
}

/* DEVICE_SECURITY_EVENT_DATA(2): what a device said of itself by SPDM (PFP 1.06, 10.2.7). */
void assay_words_spdm(struct assay_str *s, const struct assay_event *ev)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	const char *what = ev->type == EV_EFI_SPDM_FIRMWARE_BLOB ? "firmware" : "configuration";
	uint8_t sig[16];
	struct assay_err err;

	assay_cur_copy(&c, sig, sizeof(sig));

	const unsigned version = assay_cur_le16(&c);

	assay_str_add(s, "device's %s by SPDM", what);
	if (assay_cur_done(&c, "device security event", &err) < 0) {
		assay_str_add(s, ": ");
		assay_words_malformed(s, &err);
		return;
	}
	if (memcmp(sig, "SPDM Device Sec\0", 16) != 0 && memcmp(sig, "SPDM Device Sec2", 16) != 0) {
		assay_str_add(s, ": malformed: no signature (at byte 0x%" PRIx64 "), ",
			      ev->data_at);
		assay_words_hex(s, ev->data, ev->data_len);
		return;
	}
	assay_str_add(s, " (structure version %u): ", version);
	assay_words_hex(s, c.p, c.left);
}
