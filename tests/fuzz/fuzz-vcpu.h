/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kvm/vcpu-x86.h"

/* Runs both functions over a vCPU in a memory of these bytes, at FAKE_HEAP. */
int fuzz_vcpu (const uint8_t *data, size_t size, void (*describe) (const KdX86Vcpu *vcpu),
	const char *(*last_exit) (const KdObject *vcpu, uint64_t *ret_code));
