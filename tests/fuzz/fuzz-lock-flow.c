/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "debug/lock-flow.h"
#include "fuzz.h"

#define BASE UINT64_C (0xffff800008010000)
#define SIZE_MAX_BYTES 2048

typedef struct {
	const uint8_t *bytes;
	size_t size;
} Code;

static gboolean
read_code (void *data, uint64_t addr, void *buf, size_t len)
{
	const Code *code = data;

	if (addr - BASE >= code->size || len > code->size - (addr - BASE))
		return FALSE;
	memcpy (buf, code->bytes + (addr - BASE), len);
	return TRUE;
}

static gboolean
lock_call (void *data, uint64_t target, KdLockCall *ret_call)
{
	*ret_call = (KdLockCall){
		(KdLockEffect)(target >> 8 & 3), target >> 10 & 1, 8, target >> 11 & 1, 16};
	return (target >> 8 & 3) <= KD_LOCK_RELEASES;
}

/* The first byte picks the instruction set, the second the place asked for; then a function. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
	const KdLockFlowOps ops = {
		.read = read_code, .lock_call = lock_call, .byte_releases = TRUE};
	KdLockState state;
	Code code;

	if (size < 2)
		return 0;
	code = (Code){data + 2, MIN (size - 2, SIZE_MAX_BYTES)};
	if (kd_lock_flow (data[0] & 1 ? &kd_x86_64_flow : &kd_arm64_flow, &ops, &code, BASE,
		    code.size, BASE + data[1], data[0] & 2, &state))
		g_assert_cmpuint (state.nr_held, <=, KD_LOCKS_MAX);
	return 0;
}
