/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/stop-reply.h"

#include <string.h>

#include "base/escape.h"
#include "base/hex.h"

#define REG_BYTES_MAX 8192 /* one expedited register: an SVE or SME row and to spare */
#define TEXT_MAX 200

static gboolean
malformed (const char *payload, size_t len, GError **error)
{
	g_autofree char *text = kd_escape (payload, (gssize)len, 60);

	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED, "stop reply \"%s\"", text);
	return FALSE;
}

/* `len` bytes at `text` hold "key:value;" pairs; the last ';' may be missing (some stubs do). */
static gboolean
next_pair (const char **text, size_t *len, const char **ret_key, size_t *ret_key_len,
	const char **ret_value, size_t *ret_value_len)
{
	const char *end = memchr (*text, ';', *len);
	size_t pair_len = end ? (size_t)(end - *text) : *len;
	const char *colon = memchr (*text, ':', pair_len);

	if (!colon || colon == *text)
		return FALSE;
	*ret_key = *text;
	*ret_key_len = (size_t)(colon - *text);
	*ret_value = colon + 1;
	*ret_value_len = pair_len - *ret_key_len - 1;
	*text += pair_len + (end ? 1 : 0);
	*len -= pair_len + (end ? 1 : 0);
	return TRUE;
}

gboolean
kd_stop_reply_matches (const char *payload, size_t len)
{
	const char *text = payload + 3, *key, *value;
	size_t left = len - 3, key_len, value_len;
	uint64_t code;

	if (len == 1)
		return payload[0] == 'N';
	if (len < 3 || !strchr ("STWX", payload[0]) || payload[0] == '\0' ||
		!kd_hex_parse_u64 (payload + 1, 2, &code))
		return FALSE;
	if (payload[0] == 'S')
		return len == 3;
	if (payload[0] != 'T')
		return len == 3 || payload[3] == ';';
	return left == 0 || next_pair (&text, &left, &key, &key_len, &value, &value_len);
}

static void
clear_reg (gpointer data)
{
	g_free (((KdStopReg *)data)->bytes);
}

static const struct {
	const char *key;
	KdStopReplyReason reason;
} reasons[] = {
	{"watch", KD_STOP_REPLY_REASON_WATCH},
	{"rwatch", KD_STOP_REPLY_REASON_RWATCH},
	{"awatch", KD_STOP_REPLY_REASON_AWATCH},
	{"swbreak", KD_STOP_REPLY_REASON_SWBREAK},
	{"hwbreak", KD_STOP_REPLY_REASON_HWBREAK},
};

static gboolean
key_is (const char *key, size_t len, const char *name)
{
	return strlen (name) == len && memcmp (key, name, len) == 0;
}

/* An expedited register. FALSE: bad value. */
static gboolean
add_reg (KdStopReply *stop, uint64_t regnum, const char *value, size_t len)
{
	KdStopReg reg = {(guint)regnum, NULL, len / 2};

	if (regnum > G_MAXUINT16 || len % 2 != 0 || len / 2 > REG_BYTES_MAX ||
		stop->regs->len >= KD_STOP_REPLY_REGS_MAX)
		return FALSE;
	/* "xxxx": the stub has no value for it. */
	if (len > 0 && value[0] == 'x')
		return TRUE;
	reg.bytes = g_malloc (reg.len + 1);
	if (!kd_hex_decode (value, reg.len, reg.bytes)) {
		g_free (reg.bytes);
		return FALSE;
	}
	g_array_append_val (stop->regs, reg);
	return TRUE;
}

static gboolean
add_pair (KdStopReply *stop, const char *key, size_t key_len, const char *value, size_t value_len)
{
	g_autoptr (GString) text = NULL;
	uint64_t number;
	size_t used;

	if (key_is (key, key_len, "thread")) {
		stop->has_thread = TRUE;
		return kd_rsp_thread_parse (value, value_len, &stop->thread, &used) &&
		       used == value_len;
	}
	if (key_is (key, key_len, "core")) {
		if (!kd_hex_parse_u64 (value, value_len, &number) || number > G_MAXINT32)
			return FALSE;
		stop->core = (gint64)number;
		return TRUE;
	}
	for (size_t i = 0; i < G_N_ELEMENTS (reasons); i++) {
		if (!key_is (key, key_len, reasons[i].key))
			continue;
		if (reasons[i].reason <= KD_STOP_REPLY_REASON_AWATCH &&
			!kd_hex_parse_u64 (value, value_len, &stop->watch_addr))
			return FALSE;
		stop->reason = reasons[i].reason;
		return TRUE;
	}
	/* "If n is a hexadecimal number, it is a register number"; all reasons' names hold another
	 * letter. */
	if (kd_hex_parse_u64 (key, key_len, &number))
		return add_reg (stop, number, value, value_len);
	/* Unknown names are to be ignored; the first is kept to be shown. */
	if (stop->reason != KD_STOP_REPLY_REASON_NONE)
		return TRUE;
	stop->reason = KD_STOP_REPLY_REASON_OTHER;
	text = g_string_new (NULL);
	kd_escape_append (text, key, (gssize)key_len, TEXT_MAX);
	if (value_len > 0) {
		g_string_append_c (text, ':');
		kd_escape_append (text, value, (gssize)value_len, TEXT_MAX);
	}
	stop->text = g_strdup (text->str);
	return TRUE;
}

static gboolean
parse_pairs (KdStopReply *stop, const char *payload, size_t len)
{
	const char *text = payload + 3, *key, *value;
	size_t left = len - 3, key_len, value_len;

	while (left > 0) {
		if (!next_pair (&text, &left, &key, &key_len, &value, &value_len) ||
			!add_pair (stop, key, key_len, value, value_len))
			return FALSE;
	}
	return TRUE;
}

KdStopReply *
kd_stop_reply_parse (const char *payload, size_t len, GError **error)
{
	g_autoptr (KdStopReply) stop = NULL;
	uint64_t code = 0;
	guint error_code;

	if (len == 0) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_UNSUPPORTED,
			"the stub does not know this request");
		return NULL;
	}
	if (kd_rsp_is_error (payload, len, &error_code)) {
		g_autofree char *text = kd_escape (payload, (gssize)len, TEXT_MAX);

		kd_proto_set_rsp_error (error, error_code, text);
		return NULL;
	}
	if (!kd_stop_reply_matches (payload, len)) {
		malformed (payload, len, error);
		return NULL;
	}
	stop = g_new0 (KdStopReply, 1);
	stop->core = -1;
	stop->regs = g_array_new (FALSE, FALSE, sizeof (KdStopReg));
	g_array_set_clear_func (stop->regs, clear_reg);
	if (payload[0] == 'N') {
		stop->kind = KD_STOP_REPLY_NO_THREADS;
		return g_steal_pointer (&stop);
	}
	kd_hex_parse_u64 (payload + 1, 2, &code);
	stop->signal = (guint)code;
	if (payload[0] == 'W')
		stop->kind = KD_STOP_REPLY_EXITED;
	else if (payload[0] == 'X')
		stop->kind = KD_STOP_REPLY_TERMINATED;
	else if (payload[0] == 'T' && !parse_pairs (stop, payload, len)) {
		malformed (payload, len, error);
		return NULL;
	}
	return g_steal_pointer (&stop);
}

void
kd_stop_reply_free (KdStopReply *stop)
{
	if (!stop)
		return;
	g_array_unref (stop->regs);
	g_free (stop->text);
	g_free (stop);
}

const char *
kd_stop_reply_word (const KdStopReply *stop)
{
	char text[32];

	switch (stop->kind) {
	case KD_STOP_REPLY_EXITED:
		return "exited";
	case KD_STOP_REPLY_TERMINATED:
		return "terminated";
	case KD_STOP_REPLY_NO_THREADS:
		return "no-threads";
	case KD_STOP_REPLY_SIGNAL:
		break;
	}
	switch (stop->reason) {
	case KD_STOP_REPLY_REASON_WATCH:
	case KD_STOP_REPLY_REASON_RWATCH:
	case KD_STOP_REPLY_REASON_AWATCH:
		return "watchpoint";
	case KD_STOP_REPLY_REASON_SWBREAK:
	case KD_STOP_REPLY_REASON_HWBREAK:
		return "breakpoint";
	case KD_STOP_REPLY_REASON_NONE:
	case KD_STOP_REPLY_REASON_OTHER:
		break;
	}
	switch (stop->signal) {
	case 0: /* QEMU after connecting, 10.0 */
	case 2:
		return "interrupt";
	case 5:
		return "trap";
	default:
		/* At most 256 of them. */
		g_snprintf (text, sizeof text, "signal-%u", stop->signal & 0xff);
		return g_intern_string (text);
	}
}
