/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kernel/object.h"

/*
 * What of a vCPU differs by instruction set. Chosen by the members its structures have, so that no
 * caller needs to know.
 */

/* Guest pc as saved at the last exit. FALSE: a layout not known here. */
gboolean kd_kvm_isa_saved_pc (const KdObject *vcpu, uint64_t *ret_pc);
/* What the guest last left for, and the syndrome it is read from; NULL unknown. Static. */
const char *kd_kvm_isa_fault_class (const KdObject *vcpu, uint64_t *ret_syndrome);
