/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/log.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "kernel/fields.h"

/* kernel/printk/printk_ringbuffer.h. */
#define COUNT_BITS_MAX 26U /* CONFIG_LOG_BUF_SHIFT and log_buf_len=, with room */
#define SIZE_BITS_MAX 31U
#define STATE_SHIFT 62
#define ID_MASK ((1ULL << STATE_SHIFT) - 1)
#define CALLER_IS_CPU 0x80000000U
#define LOG_ID_SIZE 8U /* each data block begins with its descriptor's id */

enum { STATE_RESERVED, STATE_COMMITTED, STATE_FINALIZED, STATE_REUSABLE };

enum { R_COUNT_BITS, R_DESCS, R_INFOS, R_HEAD_ID, R_TAIL_ID, R_SIZE_BITS, R_DATA, NR_RING };
enum { D_STATE, D_BEGIN, D_NEXT, NR_DESC };
enum { I_SEQ, I_TIME, I_LEN, I_FACILITY, I_LEVEL, I_CALLER, NR_INFO };

static const KdFieldWant ring_wants[NR_RING] = {
	[R_COUNT_BITS] = {"desc_ring.count_bits", NULL, FALSE},
	[R_DESCS] = {"desc_ring.descs", NULL, FALSE},
	[R_INFOS] = {"desc_ring.infos", NULL, FALSE},
	[R_HEAD_ID] = {"desc_ring.head_id.counter", NULL, FALSE},
	[R_TAIL_ID] = {"desc_ring.tail_id.counter", NULL, FALSE},
	[R_SIZE_BITS] = {"text_data_ring.size_bits", NULL, FALSE},
	[R_DATA] = {"text_data_ring.data", NULL, FALSE},
};
static const KdFieldWant desc_wants[NR_DESC] = {
	[D_STATE] = {"state_var.counter", NULL, FALSE},
	[D_BEGIN] = {"text_blk_lpos.begin", NULL, FALSE},
	[D_NEXT] = {"text_blk_lpos.next", NULL, FALSE},
};
static const KdFieldWant info_wants[NR_INFO] = {
	[I_SEQ] = {"seq", NULL, FALSE},
	[I_TIME] = {"ts_nsec", NULL, FALSE},
	[I_LEN] = {"text_len", NULL, FALSE},
	[I_FACILITY] = {"facility", NULL, FALSE},
	[I_LEVEL] = {"level", NULL, FALSE},
	[I_CALLER] = {"caller_id", NULL, TRUE},
};

#define FIELDS_MAX 8

typedef struct {
	const char *type;
	KdField fields[FIELDS_MAX];
	KdFieldSpan span;
	uint64_t size; /* of the structure */
} Layout;

typedef struct {
	KdKernel *kernel;
	uint64_t ring[NR_RING];
	Layout desc, info;
	uint8_t *bytes; /* room for one structure */
} Log;

static gboolean
find_layout (KdKernel *kernel, const char *type, const KdFieldWant *wants, size_t nr,
	Layout *ret_layout, GError **error)
{
	G_STATIC_ASSERT (NR_RING <= FIELDS_MAX);
	*ret_layout = (Layout){.type = type};
	if (!kd_fields_find (kernel, type, wants, nr, ret_layout->fields, &ret_layout->span, error))
		return FALSE;
	ret_layout->size = kd_type_size (kd_image_type_by_name (kd_kernel_image (kernel), type));
	return TRUE;
}

static gboolean
read_struct (Log *log, const Layout *layout, size_t nr, uint64_t addr, uint64_t *ret_values,
	GError **error)
{
	if (!kd_kernel_read (log->kernel, kd_addr_kernel (addr + layout->span.start), log->bytes,
		    layout->span.len, error)) {
		g_prefix_error (error, "%s at 0x%" PRIx64 ": ", layout->type, addr);
		return FALSE;
	}
	for (size_t i = 0; i < nr; i++)
		ret_values[i] = kd_field_get (&layout->fields[i], &layout->span, log->bytes);
	return TRUE;
}

static gboolean
open_log (KdKernel *kernel, Log *log, GError **error)
{
	uint64_t pointer, addr;
	Layout ring;

	log->kernel = kernel;
	if (!kd_kernel_symbol_addr (kernel, "prb", &pointer, error) ||
		!find_layout (
			kernel, "struct printk_ringbuffer", ring_wants, NR_RING, &ring, error) ||
		!find_layout (kernel, "struct prb_desc", desc_wants, NR_DESC, &log->desc, error) ||
		!find_layout (kernel, "struct printk_info", info_wants, NR_INFO, &log->info, error))
		return FALSE;
	log->bytes = g_malloc (MAX (ring.span.len, MAX (log->desc.span.len, log->info.span.len)));
	if (!kd_kernel_read_ptr (kernel, pointer, &addr, error) ||
		!read_struct (log, &ring, NR_RING, addr, log->ring, error))
		return FALSE;
	if (log->ring[R_COUNT_BITS] > COUNT_BITS_MAX || log->ring[R_SIZE_BITS] > SIZE_BITS_MAX ||
		((log->ring[R_HEAD_ID] - log->ring[R_TAIL_ID]) & ID_MASK) >>
			log->ring[R_COUNT_BITS]) {
		g_set_error (error, KD_KERNEL_ERROR, KD_KERNEL_ERROR_CORRUPT,
			"printk_ringbuffer at 0x%" PRIx64 ": 2^%u descriptors with ids 0x%" PRIx64
			" to 0x%" PRIx64 ", 2^%u bytes of text",
			addr, (unsigned)log->ring[R_COUNT_BITS], log->ring[R_TAIL_ID],
			log->ring[R_HEAD_ID], (unsigned)log->ring[R_SIZE_BITS]);
		return FALSE;
	}
	return TRUE;
}

/* Where a block's bytes are in the ring, the id in front included. FALSE: it holds none. */
static gboolean
find_block (const Log *log, uint64_t begin, uint64_t next, uint64_t *ret_start, uint64_t *ret_len)
{
	unsigned bits = (unsigned)log->ring[R_SIZE_BITS];
	uint64_t size = 1ULL << bits, mask = size - 1;

	if (begin & 1 && next & 1)
		return FALSE; /* NO_LPOS, FAILED_LPOS: a record without text */
	/* One that would cross the ring's end stands at its start instead. */
	if (begin >> bits == (next - 1) >> bits) {
		*ret_start = begin & mask;
		*ret_len = next - begin;
	} else {
		*ret_start = 0;
		*ret_len = next & mask;
	}
	return *ret_len > LOG_ID_SIZE && *ret_len <= size && *ret_start + *ret_len <= size;
}

/* New string; empty for a record without text. NULL: its place belongs to another by now. */
static char *
read_text (const Log *log, uint64_t id, const uint64_t *desc, uint64_t text_len)
{
	g_autofree char *bytes = NULL;
	g_autoptr (GString) text = g_string_new (NULL);
	uint64_t start, len, owner;

	if (!find_block (log, desc[D_BEGIN], desc[D_NEXT], &start, &len))
		return g_strdup ("");
	if (!kd_kernel_read_u64 (log->kernel, log->ring[R_DATA] + start, &owner, NULL) ||
		owner != id)
		return NULL;
	len = MIN (len - LOG_ID_SIZE, text_len); /* text_len has 16 bits */
	bytes = g_malloc (len + 1);
	if (!kd_kernel_read (log->kernel, kd_addr_kernel (log->ring[R_DATA] + start + LOG_ID_SIZE),
		    bytes, len, NULL))
		return NULL;
	for (uint64_t at = 0, end; at < len; at = end + 1) {
		/* As dmesg has it: the kernel's own backslashes are no escapes. */
		for (end = at; end < len && !memchr ("\n\t\\", bytes[end], 3);)
			end++;
		kd_escape_append (text, bytes + at, (gssize)(end - at), (size_t)(end - at));
		if (end < len)
			g_string_append_c (text, bytes[end]);
	}
	return g_string_free (g_steal_pointer (&text), FALSE);
}

typedef enum { RECORD_READ, RECORD_FREE, RECORD_SKIPPED, RECORD_FAILED } RecordResult;

static RecordResult
read_record (Log *log, uint64_t id, KdLogRecord *ret_record, GError **error)
{
	uint64_t index = id & ((1ULL << log->ring[R_COUNT_BITS]) - 1);
	uint64_t desc[NR_DESC], info[NR_INFO];
	unsigned state;
	char *text;

	if (!read_struct (log, &log->desc, NR_DESC, log->ring[R_DESCS] + index * log->desc.size,
		    desc, error))
		return RECORD_FAILED;
	state = (unsigned)(desc[D_STATE] >> STATE_SHIFT);
	/* The tail's is free until the ring is full for the first time (_DEFINE_PRINTKRB()). */
	if ((desc[D_STATE] & ID_MASK) == id && state == STATE_REUSABLE)
		return RECORD_FREE;
	if ((desc[D_STATE] & ID_MASK) != id ||
		(state != STATE_COMMITTED && state != STATE_FINALIZED))
		return RECORD_SKIPPED;
	if (!read_struct (log, &log->info, NR_INFO, log->ring[R_INFOS] + index * log->info.size,
		    info, error))
		return RECORD_FAILED;
	text = read_text (log, id, desc, info[I_LEN] & 0xffff);
	if (!text)
		return RECORD_SKIPPED;
	*ret_record = (KdLogRecord){
		.seq = info[I_SEQ],
		.time_ns = info[I_TIME],
		.level = (unsigned)info[I_LEVEL] & 7,
		.facility = (unsigned)info[I_FACILITY],
		.has_caller = log->info.fields[I_CALLER].present,
		.caller_is_cpu = (info[I_CALLER] & CALLER_IS_CPU) != 0,
		.caller = (unsigned)info[I_CALLER] & ~CALLER_IS_CPU,
		.is_open = state == STATE_COMMITTED,
		.text = text,
	};
	return RECORD_READ;
}

static gboolean
walk_records (
	Log *log, uint64_t last, KdLogFunc func, void *data, uint64_t *ret_skipped, GError **error)
{
	uint64_t tail = log->ring[R_TAIL_ID] & ID_MASK;
	uint64_t nr = ((log->ring[R_HEAD_ID] - tail) & ID_MASK) + 1, skipped = 0;

	for (uint64_t i = last && last < nr ? nr - last : 0; i < nr; i++) {
		KdLogRecord record;
		gboolean more;

		switch (read_record (log, (tail + i) & ID_MASK, &record, error)) {
		case RECORD_FAILED:
			return FALSE;
		case RECORD_FREE:
			continue;
		case RECORD_SKIPPED:
			skipped++;
			continue;
		case RECORD_READ:
			break;
		}
		more = func (&record, data);
		g_free (record.text);
		if (!more)
			break;
	}
	*ret_skipped = skipped;
	return TRUE;
}

gboolean
kd_log_foreach (KdKernel *kernel, uint64_t last, KdLogFunc func, void *data, uint64_t *ret_skipped,
	GError **error)
{
	Log log = {0};
	gboolean ok = open_log (kernel, &log, error) &&
		      walk_records (&log, last, func, data, ret_skipped, error);

	g_free (log.bytes);
	return ok;
}
