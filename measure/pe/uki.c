/* SPDX-License-Identifier: Apache-2.0 */
/* UKI sections, profiles (UAPI.5, "Multi-Profile UKIs"), and their digests. */
#include "measure/pe/uki.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

static const char *const names[ASSAY_UKI_N_SECTIONS] = {
	[ASSAY_UKI_LINUX] = ".linux",	  [ASSAY_UKI_OSREL] = ".osrel",
	[ASSAY_UKI_CMDLINE] = ".cmdline", [ASSAY_UKI_INITRD] = ".initrd",
	[ASSAY_UKI_UCODE] = ".ucode",	  [ASSAY_UKI_SPLASH] = ".splash",
	[ASSAY_UKI_DTB] = ".dtb",	  [ASSAY_UKI_UNAME] = ".uname",
	[ASSAY_UKI_SBAT] = ".sbat",	  [ASSAY_UKI_PCRSIG] = ".pcrsig",
	[ASSAY_UKI_PCRPKEY] = ".pcrpkey", [ASSAY_UKI_PROFILE] = ".profile",
	[ASSAY_UKI_DTBAUTO] = ".dtbauto", [ASSAY_UKI_HWIDS] = ".hwids",
	[ASSAY_UKI_EFIFW] = ".efifw",
};

const char *assay_uki_section_name(enum assay_uki_section s)
{
	return s < ASSAY_UKI_N_SECTIONS ? names[s] : NULL;
}

static bool is(const struct assay_pe_section *s, enum assay_uki_section which)
{
	return strcmp(s->name, names[which]) == 0;
}

static bool may_repeat(enum assay_uki_section which)
{
	return which == ASSAY_UKI_DTBAUTO || which == ASSAY_UKI_EFIFW;
}

/* Lay sections [from, to) over the view. */
static int overlay(const struct assay_pe *pe, size_t from, size_t to, struct assay_uki_view *view,
		   struct assay_err *err)
{
	for (unsigned w = 0; w < ASSAY_UKI_N_SECTIONS; w++) {
		const struct assay_pe_section *found = NULL;
		size_t count = 0;

		for (size_t i = from; i < to; i++) {
			const struct assay_pe_section *s = &pe->sections[i];

			if (!is(s, w))
				continue;
			if (count++ == 0)
				found = s;
			else if (!may_repeat(w))
				return assay_fail(err, ASSAY_E_CORRUPT,
						  assay_src_origin(pe->src, s->raw_offset),
						  "UKI: section %s stands twice", names[w]);
		}
		if (w == ASSAY_UKI_DTBAUTO)
			view->n_dtbauto += count;
		if (w == ASSAY_UKI_EFIFW)
			view->n_efifw += count;
		/* The stub takes a section of no bytes for absent, the base's included. */
		if (found)
			view->s[w] = found->virtual_size ? found : NULL;
	}
	return 0;
}

int assay_uki_view(const struct assay_pe *pe, size_t profile, struct assay_uki_view *ret,
		   struct assay_err *err)
{
	struct assay_uki_view view = { 0 };
	size_t base = 0, n = 0, from = 0, to = 0;

	while (base < pe->n_sections && !is(&pe->sections[base], ASSAY_UKI_PROFILE))
		base++;
	for (size_t i = base; i < pe->n_sections; i++) {
		if (!is(&pe->sections[i], ASSAY_UKI_PROFILE))
			continue;
		if (n++ == profile)
			from = i;
		if (n == profile + 2)
			to = i;
	}
	if (n > ASSAY_UKI_MAX_PROFILES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "UKI: %zu profiles, limit %d", n, ASSAY_UKI_MAX_PROFILES);
	if (profile > 0 && profile >= n)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "UKI: no profile %zu, it has %zu", profile, n);
	if (overlay(pe, 0, base, &view, err) < 0)
		return -1;
	if (n > 0 && overlay(pe, from, to ? to : pe->n_sections, &view, err) < 0)
		return assay_wrap(err, "profile %zu", profile);
	*ret = view;
	return 0;
}

int assay_uki_kernel(const struct assay_pe *pe, const struct assay_pe_section *linux_sec,
		     struct assay_src **ret, struct assay_err *err)
{
	const uint64_t size = assay_pe_section_size(linux_sec);

	if (size > linux_sec->raw_size)
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, assay_src_origin(pe->src, linux_sec->raw_offset),
			"section .linux: %" PRIu64 " bytes in memory, %" PRIu32 " in the file",
			size, linux_sec->raw_size);
	return assay_src_slice(pe->src, linux_sec->raw_offset, size, ret, err);
}

/* A section as a job; `range` has to outlive it. */
static int section_job(const struct assay_pe *pe, const struct assay_pe_section *s, unsigned banks,
		       struct assay_extent *range, struct assay_hash_job *ret,
		       struct assay_err *err)
{
	const uint64_t in_file = assay_pe_section_file_size(s);
	const uint64_t more = assay_pe_section_size(s) - in_file;

	if (more > ASSAY_PE_MAX_ZEROS)
		return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(pe->src, s->raw_offset),
				  "section %.8s: %" PRIu64 " zero bytes beyond its data, limit %u",
				  s->name, more, ASSAY_PE_MAX_ZEROS);
	*range = (struct assay_extent){ s->raw_offset, in_file };
	*ret = (struct assay_hash_job){
		.banks = banks,
		.ranges = range,
		.n_ranges = in_file ? 1 : 0,
		.zeros = more,
	};
	return 0;
}

int assay_pe_hash(const struct assay_pe *pe, unsigned banks,
		  const struct assay_pe_section *const *s, size_t n,
		  struct assay_digests *ret_authenticode, struct assay_digests *ret_sections,
		  struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_hash_job *jobs = calloc(n + 1, sizeof(*jobs));
	ASSAY_AUTO_FREE struct assay_extent *ranges = calloc(n + 1, sizeof(*ranges));
	struct assay_authenticode_plan plan;
	int r = 0;

	if (!jobs || !ranges)
		return assay_fail_mem(err);
	if (assay_authenticode_plan(pe, &plan, err) < 0)
		return -1;
	jobs[0] = assay_authenticode_job(&plan, banks);
	for (size_t i = 0; i < n && r == 0; i++)
		r = section_job(pe, s[i], banks, &ranges[i], &jobs[i + 1], err);
	if (r == 0)
		r = assay_hash_run(pe->src, jobs, n + 1, err);
	if (r == 0) {
		*ret_authenticode = *assay_authenticode_result(&jobs[0]);
		for (size_t i = 0; i < n; i++)
			ret_sections[i] = jobs[i + 1].ret;
	}
	assay_authenticode_plan_clear(&plan);
	return r;
}

/* The inner kernel's plan, its ranges counted from the begin of the outer file. */
static int inner_plan(const struct assay_pe *pe, const struct assay_pe_section *linux_sec,
		      struct assay_authenticode_plan *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_pe) *kernel = NULL;

	if (assay_uki_kernel(pe, linux_sec, &src, err) < 0)
		return -1;
	if (assay_pe_open(src, &kernel, err) < 0 || assay_authenticode_plan(kernel, ret, err) < 0)
		return assay_wrap(err, "section .linux");
	for (size_t i = 0; i < ret->n_ranges; i++)
		ret->ranges[i].off += linux_sec->raw_offset;
	return 0;
}

/* Everything that one run of assay_uki_hash() holds on to. */
struct uki_run {
	struct assay_hash_job jobs[ASSAY_UKI_N_SECTIONS + 2];
	size_t n;
	struct assay_extent ranges[ASSAY_UKI_N_SECTIONS];
	struct assay_authenticode_plan outer, inner;
	size_t job_of[ASSAY_UKI_N_SECTIONS]; /* 0: the section is absent */
	size_t inner_job;
};

static int prepare(struct uki_run *run, const struct assay_pe *pe,
		   const struct assay_uki_view *view, unsigned banks, bool inner,
		   struct assay_err *err)
{
	if (assay_authenticode_plan(pe, &run->outer, err) < 0)
		return -1;
	run->jobs[run->n++] = assay_authenticode_job(&run->outer, banks);
	for (unsigned w = 0; w < ASSAY_UKI_N_SECTIONS; w++) {
		if (!view->s[w])
			continue;
		if (section_job(pe, view->s[w], banks, &run->ranges[w], &run->jobs[run->n], err) <
		    0)
			return -1;
		run->job_of[w] = run->n++;
	}
	if (inner) {
		if (!view->s[ASSAY_UKI_LINUX])
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "UKI: no section .linux");
		if (inner_plan(pe, view->s[ASSAY_UKI_LINUX], &run->inner, err) < 0)
			return -1;
		run->inner_job = run->n;
		run->jobs[run->n++] = assay_authenticode_job(&run->inner, banks);
	}
	return 0;
}

int assay_uki_hash(const struct assay_pe *pe, const struct assay_uki_view *view, unsigned banks,
		   bool inner, bool with_tail, const void *tail, size_t tail_len,
		   struct assay_uki_hashes *ret, struct assay_err *err)
{
	struct uki_run run = { 0 };
	struct assay_uki_hashes h = { 0 };
	int r = prepare(&run, pe, view, banks, inner, err);

	const size_t initrd = run.job_of[ASSAY_UKI_INITRD];
	if (r == 0 && with_tail) {
		if (initrd != 0) {
			run.jobs[initrd].with_tail = true;
			run.jobs[initrd].tail = tail;
			run.jobs[initrd].tail_len = tail_len;
		} else {
			r = assay_digest_mem(banks, tail, tail_len, &h.initrd_tail, err);
		}
	}
	if (r == 0)
		r = assay_hash_run(pe->src, run.jobs, run.n, err);
	if (r == 0) {
		h.authenticode = *assay_authenticode_result(&run.jobs[0]);
		for (unsigned w = 0; w < ASSAY_UKI_N_SECTIONS; w++)
			if (run.job_of[w] != 0)
				h.section[w] = run.jobs[run.job_of[w]].ret;
		if (inner)
			h.inner = *assay_authenticode_result(&run.jobs[run.inner_job]);
		if (with_tail && initrd != 0)
			h.initrd_tail = run.jobs[initrd].ret_tail;
		*ret = h;
	}
	assay_authenticode_plan_clear(&run.outer);
	assay_authenticode_plan_clear(&run.inner);
	return r;
}
