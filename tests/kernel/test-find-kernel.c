/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "base/hex.h"
#include "kernel/find-build-id.h"
#include "toy-machine.h"

/* argv: the toy's file, one of another build, and one for another machine (this program). */
static const char *vmlinux, *other_vmlinux, *self;

#define E2H (1ULL << 34)
#define TGE (1ULL << 27)
#define IMO (1ULL << 4)
#define VM (1ULL << 0)
#define TCR (16 | 16 << 16 | 2ULL << 30 | 5ULL << 32)
#define SPARE_ROOT UINT64_C (0x40500000)
#define HYP_VECTOR UINT64_C (0x5000001000)

static void
set_all (KdTarget *target, const char *name, uint64_t value)
{
	toy_set_reg (target, 0, name, value);
	toy_set_reg (target, 1, name, value);
}

/* EL1's registers are a guest's, and look like a kernel's. */
static void
set_guest_el1 (KdTarget *target)
{
	set_all (target, "SCTLR_EL1", 1);
	set_all (target, "TCR_EL1", TCR);
	set_all (target, "TTBR1_EL1", SPARE_ROOT);
	set_all (target, "VBAR_EL1", toy_va (target, "vectors"));
}

static void
vhe_kernel (KdTarget *target)
{
}

static void
vhe_in_guest (KdTarget *target)
{
	set_all (target, "HCR_EL2", E2H | VM | IMO);
	set_all (target, "VBAR_EL2", toy_va (target, "__kvm_hyp_vector"));
	set_guest_el1 (target);
}

/* Only the vectors' page is mapped, and elsewhere. */
static void
vhe_trampoline (KdTarget *target)
{
	uint64_t va = 0xfffffdfffe000000, pa = toy_pa (target, "vectors");

	toy_map (target, SPARE_ROOT, va, pa & ~0xfffULL);
	set_all (target, "TTBR1_EL2", SPARE_ROOT);
	set_all (target, "VBAR_EL2", va | (pa & 0xfff));
}

static void
nvhe_kernel (KdTarget *target)
{
	toy_clear_regs (target);
	set_all (target, "SCTLR_EL1", 1);
	set_all (target, "TCR_EL1", TCR);
	set_all (target, "TTBR1_EL1", toy_pa (target, "swapper_pg_dir"));
	set_all (target, "VBAR_EL1", toy_va (target, "vectors"));
}

static void
nvhe_in_guest (KdTarget *target)
{
	toy_clear_regs (target);
	set_guest_el1 (target);
	set_all (target, "HCR_EL2", VM | IMO);
	set_all (target, "SCTLR_EL2", 1);
	set_all (target, "TCR_EL2", 16 | 5 << 16);
	set_all (target, "TTBR0_EL2", SPARE_ROOT);
	set_all (target, "VBAR_EL2", HYP_VECTOR | (toy_pa (target, "__kvm_hyp_vector") & 0xfff));
	toy_map (target, SPARE_ROOT, HYP_VECTOR, toy_pa (target, "__kvm_hyp_vector") & ~0xfffULL);
}

static void
hyp_stub (KdTarget *target)
{
	nvhe_kernel (target);
	set_all (target, "TTBR1_EL1", SPARE_ROOT); /* nothing there */
	set_all (target, "HCR_EL2", 1ULL << 31);
	set_all (target, "TCR_EL2", 16);
	toy_set_reg (target, 0, "VBAR_EL2", toy_pa (target, "vectors"));
	toy_set_reg (target, 0, "SCTLR_EL2", 0x30);
}

static void
vectors_elsewhere (KdTarget *target)
{
	set_all (target, "VBAR_EL2", toy_va (target, "toy_text"));
}

static void
no_registers (KdTarget *target)
{
	toy_clear_regs (target);
}

static void
before_voffset (KdTarget *target)
{
	toy_write_u64 (target, toy_pa (target, "kimage_voffset"), 0);
}

static const struct {
	const char *name;
	void (*set) (KdTarget *target);
} ways[] = {
	{"vhe-kernel", vhe_kernel},
	{"vhe-in-guest", vhe_in_guest},
	{"vhe-trampoline", vhe_trampoline},
	{"nvhe-kernel", nvhe_kernel},
	{"nvhe-in-guest", nvhe_in_guest},
	{"hyp-stub", hyp_stub},
	{"vectors-elsewhere", vectors_elsewhere},
	{"no-registers", no_registers},
	{"before-voffset", before_voffset},
};

static void
test_way (gconstpointer data)
{
	const KdKernelOptions options = {.vmlinux = vmlinux};
	g_autoptr (KdTarget) target = toy_machine_new (vmlinux);
	g_autoptr (KdKernel) kernel = NULL;
	g_autoptr (GError) error = NULL;
	g_autofree char *banner = NULL;

	ways[GPOINTER_TO_SIZE (data)].set (target);
	kernel = kd_kernel_open (target, &options, &error);
	g_assert_no_error (error);
	g_assert_cmphex (kd_kernel_phys_base (kernel), ==, TOY_PHYS);
	g_assert_cmphex (kd_kernel_kaslr_offset (kernel), ==, TOY_KASLR);
	g_assert_cmphex (kd_kernel_regime (kernel)->root, ==, toy_pa (target, "swapper_pg_dir"));
	g_assert_cmpuint (kd_kernel_va_bits (kernel), ==, 48);
	g_assert_cmphex (kd_kernel_pac_mask (kernel), ==, 0xff7f000000000000);
	g_assert_cmpstr (kd_kernel_release (kernel), ==, "6.1.0-toy");
	g_assert_cmpuint (kd_kernel_nr_cpus (kernel), ==, 2);
	banner = kd_kernel_read_cstring (kernel, toy_va (target, "linux_banner"), 20, &error);
	g_assert_no_error (error);
	g_assert_cmpstr (banner, ==, "Linux version 6.1.0-");
}

static char *
id_of (const char *path)
{
	KdImage *image = kd_image_open (&(KdImageOptions){.path = path, .no_cache = TRUE}, NULL);
	size_t len;
	const uint8_t *id = kd_image_build_id (image, &len);
	char *hex = kd_hex_to_string (id, len);

	kd_image_free (image);
	return hex;
}

static void
test_other_build (void)
{
	KdKernelOptions options = {.vmlinux = other_vmlinux};
	g_autoptr (KdTarget) target = toy_machine_new (vmlinux);
	g_autoptr (KdKernel) kernel = NULL;
	g_autoptr (GError) error = NULL;
	g_autofree char *id = id_of (vmlinux), *other_id = id_of (other_vmlinux);

	g_assert_cmpstr (id, !=, other_id);
	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_MISMATCH);
	g_assert_nonnull (strstr (error->message, id));
	g_assert_nonnull (strstr (error->message, other_id));
	g_assert_nonnull (strstr (error->message, "--force"));
	g_clear_error (&error);

	options.force = TRUE;
	kernel = kd_kernel_open (target, &options, &error);
	g_assert_no_error (error);
	g_assert_cmphex (kd_kernel_kaslr_offset (kernel), ==, TOY_KASLR);
	/* What runs, not what was given. */
	g_assert_cmpstr (kd_kernel_build_id (kernel), ==, id);
}

static void
test_other_machine (void)
{
	const KdKernelOptions options = {.vmlinux = self};
	g_autoptr (KdTarget) target = toy_machine_new (vmlinux);
	g_autoptr (GError) error = NULL;

	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_MISMATCH);
	g_assert_nonnull (strstr (error->message, "this machine is arm64"));
}

static void
test_nothing_there (void)
{
	KdKernelOptions options = {.vmlinux = vmlinux};
	KdTarget *target = toy_machine_new_empty();
	g_autoptr (GError) error = NULL;

	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL);
	g_clear_error (&error);
	options.force = TRUE;
	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL);
	g_clear_error (&error);
	options.vmlinux = NULL;
	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL);
	kd_target_free (target);
}

static void
test_no_tables (void)
{
	const KdKernelOptions options = {.vmlinux = vmlinux};
	g_autoptr (KdTarget) target = toy_machine_new (vmlinux);
	g_autoptr (GError) error = NULL;
	const uint8_t zeros[4096] = {0};

	toy_write (target, toy_pa (target, "swapper_pg_dir"), zeros, sizeof zeros);
	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL);
}

static void
remove_folder (const char *path)
{
	g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name (dir))) {
		g_autofree char *inner = g_build_filename (path, name, NULL);

		g_assert_cmpint (g_unlink (inner), ==, 0);
	}
	g_assert_cmpint (g_rmdir (path), ==, 0);
}

/* No file is named: the build-id in memory leads to one under a debug directory. */
static void
test_by_build_id (void)
{
	g_autofree char *dir = g_dir_make_tmp ("kd-debug-XXXXXX", NULL);
	g_autofree char *path = g_build_filename (dir, "vmlinux", NULL);
	const char *const dirs[] = {dir, NULL};
	const KdKernelOptions options = {.debug_dirs = dirs, .cache_dir = dir};
	g_autoptr (KdTarget) target = toy_machine_new (vmlinux);
	g_autoptr (GFile) from = g_file_new_for_path (vmlinux), to = g_file_new_for_path (path);
	g_autoptr (KdKernel) kernel = NULL;
	g_autoptr (GError) error = NULL;
	g_autofree char *id = id_of (vmlinux);

	g_assert_null (kd_kernel_open (target, &options, &error));
	g_assert_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_NO_KERNEL);
	g_assert_nonnull (strstr (error->message, id));
	g_assert_nonnull (strstr (error->message, "6.1.0-toy"));
	g_clear_error (&error);
	g_assert_true (g_file_copy (from, to, 0, NULL, NULL, NULL, NULL));
	kernel = kd_kernel_open (target, &options, &error);
	g_assert_no_error (error);
	g_assert_cmpstr (kd_kernel_build_id (kernel), ==, id);
	g_assert_cmpstr (kd_image_path (kd_kernel_image (kernel)), ==, path);
	remove_folder (dir);
}

/* Notes as hostile memory may have them. */
static void
test_notes (void)
{
#define WORDS(...)                                                                                 \
	((const uint32_t[]){__VA_ARGS__}), sizeof (const uint32_t[])                               \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
	static const uint32_t gnu = 0x00554e47; /* "GNU" */
	const struct {
		const char *name;
		const void *bytes;
		size_t len, offset, id_len; /* id_len 0: none is found */
	} rows[] = {
		{"plain", WORDS (4, 4, 3, gnu, 0x11223344), 16, 4},
		{"after-another", WORDS (4, 4, 1, gnu, 0, 4, 4, 3, gnu, 0x11223344), 36, 4},
		{"name-padded", WORDS (2, 4, 1, 0x41, 0, 4, 4, 3, gnu, 0x11223344), 36, 4},
		{"empty", "", 0, 0, 0},
		{"header-cut", WORDS (4, 4), 0, 0},
		{"id-cut", WORDS (4, 20, 3, gnu, 0x11223344), 0, 0},
		{"id-of-no-bytes", WORDS (4, 0, 3, gnu), 0, 0},
		{"id-too-long", WORDS (4, 0x10000, 3, gnu, 0x11223344), 0, 0},
		{"name-beyond", WORDS (0xfffffffc, 4, 3, gnu, 0x11223344), 0, 0},
		{"other-name", WORDS (4, 4, 3, 0x00584e47, 0x11223344), 0, 0},
	};
#undef WORDS

	for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
		size_t offset = 99, id_len = 99;
		gboolean found =
			kd_notes_find_build_id (rows[i].bytes, rows[i].len, &offset, &id_len);

		g_test_message ("%s", rows[i].name);
		g_assert_cmpint (found, ==, rows[i].id_len != 0);
		g_assert_cmpuint (offset, ==, found ? rows[i].offset : 99);
		g_assert_cmpuint (id_len, ==, found ? rows[i].id_len : 99);
	}
}

int
main (int argc, char **argv)
{
	g_test_init (&argc, &argv, NULL);
	g_assert_cmpint (argc, ==, 3);
	vmlinux = argv[1];
	other_vmlinux = argv[2];
	self = argv[0];
	for (size_t i = 0; i < G_N_ELEMENTS (ways); i++) {
		g_autofree char *path = g_strdup_printf ("/find-kernel/%s", ways[i].name);

		g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_way);
	}
	g_test_add_func ("/find-kernel/notes", test_notes);
	g_test_add_func ("/find-kernel/other-build", test_other_build);
	g_test_add_func ("/find-kernel/other-machine", test_other_machine);
	g_test_add_func ("/find-kernel/nothing-there", test_nothing_there);
	g_test_add_func ("/find-kernel/no-tables", test_no_tables);
	g_test_add_func ("/find-kernel/by-build-id", test_by_build_id);
	return g_test_run();
}
