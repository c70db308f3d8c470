/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz-vcpu.h"
#include "fuzz.h"

/* The memory from struct vcpu_svm on, which its pointers lead back into. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	return fuzz_vcpu (data, size, kd_vcpu_svm_describe, kd_vcpu_svm_last_exit);
}
