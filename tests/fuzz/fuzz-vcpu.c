/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz-vcpu.h"

#include "fake-kernel.h"
#include "kvm/kvm-isa.h"

#define MEMORY 4096U

/* --- what the decoders have beside them, and nothing here asks for --- */

G_DEFINE_QUARK (kd - kvm - error - quark, kd_kvm_error)

const KdKvmIsa *
kd_kvm_isa (KdKernel *kernel)
{
	g_assert_not_reached();
}

gboolean
kd_vm_by_id (KdKernel *kernel, int id, KdVm *ret_vm, GError **error)
{
	g_assert_not_reached();
}

GArray *
kd_vm_vcpus (KdKernel *kernel, const KdVm *vm, GError **ret_partial, GError **error)
{
	g_assert_not_reached();
}

unsigned
kd_target_nr_cpus (const KdTarget *target)
{
	return FAKE_NR_CPUS;
}

/* --- */

int
fuzz_vcpu (const uint8_t *data, size_t size, void (*describe) (const KdX86Vcpu *vcpu),
	const char *(*last_exit) (const KdObject *vcpu, uint64_t *ret_code))
{
	static const uint8_t nothing[MEMORY];
	static KdKernel *kernel;
	KdObject object;
	uint64_t code;

	if (size < 1 || size > MEMORY)
		return 0;
	if (!kernel) {
		kernel = fake_kernel_new();
		fake_kernel_map (kernel, FAKE_HEAP, MEMORY);
	}
	fake_kernel_write (kernel, FAKE_HEAP, nothing, MEMORY);
	fake_kernel_write (kernel, FAKE_HEAP, data + 1, size - 1);
	g_assert_true (kd_object_at_named (kernel, "struct kvm_vcpu", FAKE_HEAP, &object, NULL));
	KdVcpuState state = {.kernel = kernel,
		.groups = json_object_new(),
		.lists = json_object_new(),
		.notes = json_array_new()};
	const KdX86Vcpu vcpu = {.kernel = kernel,
		.vcpu = &object,
		.state = &state,
		.loaded = data[0] & 1,
		.in_guest = (data[0] & 3) == 3,
		.cpu = data[0] >> 2 & 1};

	describe (&vcpu);
	/* All of it is there, whatever the bytes are. */
	g_assert_cmpuint (json_object_get_size (state.groups), >, 0);
	last_exit (&object, &code);
	json_object_unref (state.groups);
	json_object_unref (state.lists);
	json_array_unref (state.notes);
	return 0;
}
