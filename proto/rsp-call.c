/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/rsp-call.h"

#include <string.h>

#include "base/hex.h"

/* What is left of the packet. Each next_* advances, or returns FALSE. */
typedef struct {
	const char *at;
	size_t len;
} Rest;

void
kd_rsp_call_init (KdRspCall *call)
{
	*call = (KdRspCall){.text = g_string_new (NULL),
		.annex = g_string_new (NULL),
		.bytes = g_byte_array_new()};
}

void
kd_rsp_call_clear (KdRspCall *call)
{
	g_string_free (call->text, TRUE);
	g_string_free (call->annex, TRUE);
	g_byte_array_unref (call->bytes);
	*call = (KdRspCall){0};
}

static gboolean
next_char (Rest *rest, char c)
{
	if (rest->len == 0 || rest->at[0] != c)
		return FALSE;
	rest->at++;
	rest->len--;
	return TRUE;
}

static gboolean
next_hex (Rest *rest, guint64 *ret)
{
	uint64_t value;
	size_t used;

	if (!kd_hex_parse_prefix (rest->at, rest->len, &value, &used))
		return FALSE;
	*ret = value;
	rest->at += used;
	rest->len -= used;
	return TRUE;
}

static gboolean
next_thread (Rest *rest, KdRspThread *ret)
{
	size_t used;

	if (!kd_rsp_thread_parse (rest->at, rest->len, ret, &used))
		return FALSE;
	rest->at += used;
	rest->len -= used;
	return TRUE;
}

/* "ADDR,LEN" */
static gboolean
next_range (Rest *rest, KdRspCall *call)
{
	return next_hex (rest, &call->addr) && next_char (rest, ',') && next_hex (rest, &call->len);
}

/* All the rest is hex digits of bytes. */
static gboolean
take_hex_bytes (Rest *rest, KdRspCall *call)
{
	if (rest->len % 2 || rest->len / 2 > KD_RSP_CALL_BYTES_MAX)
		return FALSE;
	g_byte_array_set_size (call->bytes, (guint)(rest->len / 2));
	return rest->len == 0 || kd_hex_decode (rest->at, rest->len / 2, call->bytes->data);
}

/* --- one function for each form of arguments; FALSE: they are wrong --- */

static gboolean
parse_nothing (Rest *rest, KdRspCall *call)
{
	return rest->len == 0;
}

static gboolean
parse_anything (Rest *rest, KdRspCall *call)
{
	return TRUE;
}

static gboolean
parse_supported (Rest *rest, KdRspCall *call)
{
	g_autofree char *text = g_strndup (rest->at, rest->len);
	g_auto (GStrv) names = g_strsplit_set (text, ":;", 0);

	for (char **name = names; *name; name++)
		if (strcmp (*name, "multiprocess+") == 0)
			call->features |= KD_RSP_CLIENT_MULTIPROCESS;
		else if (strcmp (*name, "swbreak+") == 0)
			call->features |= KD_RSP_CLIENT_SWBREAK;
		else if (strcmp (*name, "hwbreak+") == 0)
			call->features |= KD_RSP_CLIENT_HWBREAK;
	return TRUE;
}

static gboolean
parse_set_thread (Rest *rest, KdRspCall *call)
{
	if (rest->len == 0 || (rest->at[0] != 'g' && rest->at[0] != 'c'))
		return FALSE;
	call->op = rest->at[0];
	next_char (rest, call->op);
	return next_thread (rest, &call->thread) && rest->len == 0;
}

static gboolean
parse_thread (Rest *rest, KdRspCall *call)
{
	return next_thread (rest, &call->thread) && rest->len == 0;
}

static gboolean
parse_number (Rest *rest, KdRspCall *call)
{
	guint64 number;

	if (!next_hex (rest, &number) || number > G_MAXUINT16)
		return FALSE;
	call->number = (guint)number;
	return TRUE;
}

static gboolean
parse_read_reg (Rest *rest, KdRspCall *call)
{
	return parse_number (rest, call) && rest->len == 0;
}

static gboolean
parse_write_reg (Rest *rest, KdRspCall *call)
{
	return parse_number (rest, call) && next_char (rest, '=') && rest->len > 0 &&
	       take_hex_bytes (rest, call);
}

static gboolean
parse_write_regs (Rest *rest, KdRspCall *call)
{
	return rest->len > 0 && take_hex_bytes (rest, call);
}

static gboolean
parse_read_mem (Rest *rest, KdRspCall *call)
{
	return next_range (rest, call) && rest->len == 0 && call->len <= KD_RSP_CALL_BYTES_MAX;
}

static gboolean
parse_read_binary (Rest *rest, KdRspCall *call)
{
	call->binary = TRUE;
	return parse_read_mem (rest, call);
}

static gboolean
parse_write_mem (Rest *rest, KdRspCall *call)
{
	return next_range (rest, call) && next_char (rest, ':') && take_hex_bytes (rest, call) &&
	       call->bytes->len == call->len;
}

static gboolean
parse_write_binary (Rest *rest, KdRspCall *call)
{
	if (!next_range (rest, call) || !next_char (rest, ':') || rest->len != call->len ||
		rest->len > KD_RSP_CALL_BYTES_MAX)
		return FALSE;
	g_byte_array_append (call->bytes, (const guint8 *)rest->at, (guint)rest->len);
	return TRUE;
}

static gboolean
parse_break (Rest *rest, KdRspCall *call)
{
	if (rest->len == 0 || rest->at[0] < '0' || rest->at[0] > '4')
		return FALSE;
	call->type = (KdRspBreak)(rest->at[0] - '0');
	/* Behind ';' there may be conditions, which we did not offer to judge. */
	return next_char (rest, rest->at[0]) && next_char (rest, ',') && next_range (rest, call) &&
	       rest->len == 0;
}

static gboolean
add_row (KdRspCall *call, char action, gboolean all, KdRspThread thread)
{
	if (call->nr_rows == KD_RSP_CALL_ROWS_MAX)
		return FALSE;
	call->rows[call->nr_rows++] = (KdRspResume){action, all, thread};
	return TRUE;
}

/* "c[ADDR]", "s[ADDR]" and "CSIG[;ADDR]", "SSIG[;ADDR]": what they resume is the thread of Hc. */
static gboolean
parse_resume (Rest *rest, KdRspCall *call, char action, gboolean signal)
{
	guint64 value;

	if (signal && !next_hex (rest, &value))
		return FALSE;
	if (rest->len > 0) {
		if (signal && !next_char (rest, ';'))
			return FALSE;
		call->has_addr = TRUE;
		if (!next_hex (rest, &call->addr) || rest->len > 0)
			return FALSE;
	}
	/* Thread 0: the one of Hc. */
	return add_row (call, action, FALSE, (KdRspThread){0, 0});
}

static gboolean
parse_cont (Rest *rest, KdRspCall *call)
{
	return parse_resume (rest, call, 'c', FALSE);
}

static gboolean
parse_cont_signal (Rest *rest, KdRspCall *call)
{
	return parse_resume (rest, call, 'c', TRUE);
}

static gboolean
parse_step (Rest *rest, KdRspCall *call)
{
	return parse_resume (rest, call, 's', FALSE);
}

static gboolean
parse_step_signal (Rest *rest, KdRspCall *call)
{
	return parse_resume (rest, call, 's', TRUE);
}

static gboolean
parse_vcont_action (Rest *rest, KdRspCall *call)
{
	KdRspThread thread = {0, -1};
	char action = rest->len ? rest->at[0] : '\0';
	gboolean named;
	guint64 signal;

	if (!action || !strchr ("csCS", action) || !next_char (rest, action))
		return FALSE;
	if ((action == 'C' || action == 'S') && !next_hex (rest, &signal))
		return FALSE;
	named = next_char (rest, ':');
	if (named && !next_thread (rest, &thread))
		return FALSE;
	return add_row (call, g_ascii_tolower (action), !named || thread.tid == -1, thread);
}

static gboolean
parse_vcont (Rest *rest, KdRspCall *call)
{
	do
		if (!parse_vcont_action (rest, call))
			return FALSE;
	while (next_char (rest, ';'));
	return rest->len == 0;
}

/* "OBJECT:read:ANNEX:OFFSET,LENGTH" */
static gboolean
parse_xfer (Rest *rest, KdRspCall *call)
{
	const char *end = memchr (rest->at, ':', rest->len);

	if (!end || end - rest->at > KD_RSP_ANNEX_MAX)
		return FALSE;
	g_string_append_len (call->text, rest->at, end - rest->at);
	rest->len -= (size_t)(end - rest->at);
	rest->at = end;
	if (rest->len < 6 || memcmp (rest->at, ":read:", 6) != 0)
		return FALSE;
	rest->at += 6;
	rest->len -= 6;
	end = memchr (rest->at, ':', rest->len);
	if (!end || end - rest->at > KD_RSP_ANNEX_MAX)
		return FALSE;
	g_string_append_len (call->annex, rest->at, end - rest->at);
	rest->len -= (size_t)(end - rest->at) + 1;
	rest->at = end + 1;
	return next_range (rest, call) && rest->len == 0;
}

static gboolean
parse_monitor (Rest *rest, KdRspCall *call)
{
	if (!take_hex_bytes (rest, call))
		return FALSE;
	/* An empty array has no bytes at all. */
	if (!call->bytes->len)
		return TRUE;
	if (memchr (call->bytes->data, '\0', call->bytes->len))
		return FALSE;
	g_string_append_len (call->text, (const char *)call->bytes->data, (gssize)call->bytes->len);
	return TRUE;
}

/* The first row whose prefix fits; longer ones stand before shorter. */
static const struct {
	const char *prefix;
	KdRspCallKind kind;
	gboolean (*parse) (Rest *rest, KdRspCall *call);
} forms[] = {
	{"?", KD_RSP_CALL_STOP_REASON, parse_nothing},
	{"qSupported", KD_RSP_CALL_SUPPORTED, parse_supported},
	{"QStartNoAckMode", KD_RSP_CALL_NO_ACK, parse_nothing},
	{"qfThreadInfo", KD_RSP_CALL_THREADS_FIRST, parse_nothing},
	{"qsThreadInfo", KD_RSP_CALL_THREADS_NEXT, parse_nothing},
	{"qThreadExtraInfo,", KD_RSP_CALL_THREAD_EXTRA, parse_thread},
	{"qAttached", KD_RSP_CALL_ATTACHED, parse_anything},
	{"qOffsets", KD_RSP_CALL_OFFSETS, parse_nothing},
	{"qXfer:", KD_RSP_CALL_XFER, parse_xfer},
	{"qRcmd,", KD_RSP_CALL_MONITOR, parse_monitor},
	{"qC", KD_RSP_CALL_CURRENT_THREAD, parse_nothing},
	{"vCont?", KD_RSP_CALL_VCONT_ACTIONS, parse_nothing},
	{"vCont;", KD_RSP_CALL_RESUME, parse_vcont},
	{"vKill", KD_RSP_CALL_KILL, parse_anything},
	{"H", KD_RSP_CALL_SET_THREAD, parse_set_thread},
	{"T", KD_RSP_CALL_THREAD_ALIVE, parse_thread},
	{"g", KD_RSP_CALL_READ_REGS, parse_nothing},
	{"G", KD_RSP_CALL_WRITE_REGS, parse_write_regs},
	{"p", KD_RSP_CALL_READ_REG, parse_read_reg},
	{"P", KD_RSP_CALL_WRITE_REG, parse_write_reg},
	{"m", KD_RSP_CALL_READ_MEM, parse_read_mem},
	{"x", KD_RSP_CALL_READ_MEM, parse_read_binary},
	{"M", KD_RSP_CALL_WRITE_MEM, parse_write_mem},
	{"X", KD_RSP_CALL_WRITE_MEM, parse_write_binary},
	{"Z", KD_RSP_CALL_INSERT, parse_break},
	{"z", KD_RSP_CALL_REMOVE, parse_break},
	{"c", KD_RSP_CALL_RESUME, parse_cont},
	{"C", KD_RSP_CALL_RESUME, parse_cont_signal},
	{"s", KD_RSP_CALL_RESUME, parse_step},
	{"S", KD_RSP_CALL_RESUME, parse_step_signal},
	{"D", KD_RSP_CALL_DETACH, parse_anything},
	{"k", KD_RSP_CALL_KILL, parse_nothing},
};

void
kd_rsp_call_parse (KdRspCall *call, const char *payload, size_t len)
{
	GString *text = call->text, *annex = call->annex;
	GByteArray *bytes = call->bytes;

	g_string_truncate (text, 0);
	g_string_truncate (annex, 0);
	g_byte_array_set_size (bytes, 0);
	*call = (KdRspCall){.text = text, .annex = annex, .bytes = bytes};
	for (size_t i = 0; i < G_N_ELEMENTS (forms); i++) {
		size_t prefix = strlen (forms[i].prefix);
		Rest rest;

		if (len < prefix || memcmp (payload, forms[i].prefix, prefix) != 0)
			continue;
		rest = (Rest){payload + prefix, len - prefix};
		call->kind = forms[i].parse (&rest, call) ? forms[i].kind : KD_RSP_CALL_BAD;
		return;
	}
}
