/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command/command.h"
#include "kvm/kvm.h"

/* What the KVM lists share. */

/*
 * The result. A list that is not whole says so in its last element: "partial", why. Takes `array`.
 */
JsonNode *kd_kvm_list_node (JsonArray *array, const GError *partial, GError **error);

/* FALSE: the list is empty, `none` was said. */
gboolean kd_kvm_list_begin (
	JsonArray *array, const char *const *headings, const char *none, KdText *text);
void kd_kvm_list_end (JsonArray *array, KdText *text);
void kd_kvm_cell_int (KdText *text, JsonObject *obj, const char *name);
void kd_kvm_cell_string (KdText *text, KdStyle style, JsonObject *obj, const char *name);

/* Offers the numbers of VMs for a row's complete(). */
void kd_kvm_complete_vm (KdSession *session, const char *word, GPtrArray *ret_candidates);
/* The VM of argument "vm": TRUE and *ret_given FALSE when it was not given. */
gboolean kd_kvm_arg_vm (const KdArgs *args, gboolean *ret_given, int *ret_vm, GError **error);

/* What `vcpus` says of one, into `obj`. */
void kd_kvm_vcpu_json (JsonObject *obj, const KdVcpu *vcpu);
/* What `memslots` says of one, into `obj`. */
void kd_kvm_slot_json (JsonObject *obj, const KdMemslot *slot);
/* "1" (then *ret_vcpu is -1) or "1:0". USAGE: neither. */
gboolean kd_kvm_parse_vm (const char *text, int *ret_vm, int *ret_vcpu, GError **error);
/* Offers "VM:VCPU" of all that there are. */
void kd_kvm_complete_vcpu (KdSession *session, const char *word, GPtrArray *ret_candidates);
