/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "kernel/object.h"
#include "kvm/kvm.h"

/*
 * The state of one vCPU as an instruction set's file tells it, as JSON since its parts differ by
 * instruction set and nothing but the command that shows it asks for them:
 *
 *   groups: {GROUP: {NAME: {value, state, memory, text}}}
 *   lists: {LIST: [{…}]}
 *   source: where the general registers come from: "cpu", "memory"
 *   notes: ["why something is not there", …]
 *
 * `memory` is what KVM's copy says where the value came from a CPU; `text` the value decoded.
 */
struct KdVcpuState {
	KdKernel *kernel;
	JsonObject *groups;
	JsonObject *lists;
	JsonArray *notes;
	gboolean from_cpu; /* the general registers are */
	const char *as;    /* which hardware it is of, where it must not be asked; NULL */
};

typedef enum {
	KD_VCPU_LIVE,   /* from the CPU that runs it */
	KD_VCPU_CACHED, /* KVM's copy, which is what the guest will go on with */
	KD_VCPU_STALE,  /* KVM's copy, and the CPU has a newer value that is not to be had */
} KdVcpuMark;

const char *kd_vcpu_mark_name (KdVcpuMark mark);

/* New or existing group or list by name; borrowed. */
JsonObject *kd_vcpu_state_group (KdVcpuState *state, const char *name);
JsonArray *kd_vcpu_state_list (KdVcpuState *state, const char *name);
/* Adds a value; the object, borrowed, for more members. */
JsonObject *kd_vcpu_state_add (
	JsonObject *group, const char *name, uint64_t value, KdVcpuMark mark);
/* The same with what it means; takes `text`, which may be NULL. */
JsonObject *kd_vcpu_state_add_text (
	JsonObject *group, const char *name, uint64_t value, KdVcpuMark mark, char *text);
/* Says why something is missing; takes `error`, and does nothing when that is NULL. */
void kd_vcpu_state_note (KdVcpuState *state, const char *what, GError *error);
/* The same in own words. */
void kd_vcpu_state_notef (KdVcpuState *state, const char *format, ...) G_GNUC_PRINTF (2, 3);
/*
 * Integer member at `path` of `object` into `group` as `name`, with `mark`. FALSE: the structure
 * has no such member (not an error), or it could not be read (said in the notes).
 */
gboolean kd_vcpu_state_add_member (KdVcpuState *state, JsonObject *group, const char *name,
	const KdObject *object, const char *path, KdVcpuMark mark);
