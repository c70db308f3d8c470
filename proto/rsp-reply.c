/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/escape.h"
#include "base/hex.h"
#include "proto/rsp-packet.h"

gboolean
kd_rsp_is_error (const char *payload, size_t len, guint *ret_code)
{
	uint64_t code;

	/* Never mistaken for data: hex data has an even number of digits. */
	if (len == 3 && payload[0] == 'E' && kd_hex_parse_u64 (payload + 1, 2, &code)) {
		*ret_code = (guint)code;
		return TRUE;
	}
	if (len >= 2 && payload[0] == 'E' && payload[1] == '.') {
		*ret_code = 0;
		return TRUE;
	}
	return FALSE;
}

guint
kd_rsp_error_code (const GError *error)
{
	return kd_proto_get_rsp_code (error);
}

/* What every parser asks first. */
static gboolean
check_answer (const char *payload, size_t len, const char *what, GError **error)
{
	g_autofree char *text = NULL;
	guint code;

	if (len == 0) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_UNSUPPORTED,
			"the stub does not know %s", what);
		return FALSE;
	}
	if (!kd_rsp_is_error (payload, len, &code))
		return TRUE;
	text = kd_escape (payload, (gssize)len, 200);
	kd_proto_set_rsp_error (error, code, text);
	g_prefix_error (error, "%s: ", what);
	return FALSE;
}

static gboolean
malformed (const char *payload, size_t len, const char *what, GError **error)
{
	g_autofree char *text = kd_escape (payload, (gssize)len, 40);

	g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_MALFORMED,
		"%s: the stub answered \"%s\"", what, text);
	return FALSE;
}

gboolean
kd_rsp_parse_ok (const char *payload, size_t len, GError **error)
{
	if (!check_answer (payload, len, "this request", error))
		return FALSE;
	if (len == 2 && memcmp (payload, "OK", 2) == 0)
		return TRUE;
	return malformed (payload, len, "OK expected", error);
}

/* Cuts the next item off *text; FALSE when nothing is left. Items may be empty. */
static gboolean
next_item (const char **text, size_t *len, char separator, const char **ret_item, size_t *ret_len)
{
	const char *end;

	if (!*text)
		return FALSE;
	end = memchr (*text, separator, *len);
	*ret_item = *text;
	*ret_len = end ? (size_t)(end - *text) : *len;
	*len -= *ret_len + (end ? 1 : 0);
	*text = end ? end + 1 : NULL;
	return TRUE;
}

static gboolean
item_is (const char *item, size_t len, const char *name)
{
	return strlen (name) == len && memcmp (item, name, len) == 0;
}

static const struct {
	const char *name;
	KdRspFeature feature;
} supported_names[] = {
	{"qXfer:features:read+", KD_RSP_HAS_XFER_FEATURES},
	{"vContSupported+", KD_RSP_HAS_VCONT},
	{"multiprocess+", KD_RSP_HAS_MULTIPROCESS},
	{"QStartNoAckMode+", KD_RSP_HAS_NO_ACK},
	{"swbreak+", KD_RSP_HAS_SWBREAK},
	{"hwbreak+", KD_RSP_HAS_HWBREAK},
};

gboolean
kd_rsp_parse_supported (const char *payload, size_t len, KdRspFeatures *features, GError **error)
{
	static const char size_name[] = "PacketSize=";
	const size_t size_len = sizeof size_name - 1;
	KdRspFeatures found = *features;
	const char *rest = payload, *item;
	size_t rest_len = len, item_len;
	uint64_t value;

	if (!check_answer (payload, len, "qSupported", error))
		return FALSE;
	while (next_item (&rest, &rest_len, ';', &item, &item_len)) {
		for (size_t i = 0; i < G_N_ELEMENTS (supported_names); i++)
			if (item_is (item, item_len, supported_names[i].name))
				found.set |= supported_names[i].feature;
		if (item_len < size_len || memcmp (item, size_name, size_len) != 0)
			continue;
		if (!kd_hex_parse_u64 (item + size_len, item_len - size_len, &value) ||
			value < KD_RSP_PACKET_SIZE_MIN)
			return malformed (item, item_len, "qSupported", error);
		found.packet_size = (size_t)MIN (value, KD_RSP_PACKET_SIZE_MAX);
	}
	*features = found;
	return TRUE;
}

gboolean
kd_rsp_parse_vcont_actions (
	const char *payload, size_t len, KdRspFeatures *features, GError **error)
{
	const char *rest = payload, *item;
	size_t rest_len = len, item_len;
	guint set = features->set;

	if (!check_answer (payload, len, "vCont", error))
		return FALSE;
	if (!next_item (&rest, &rest_len, ';', &item, &item_len) ||
		!item_is (item, item_len, "vCont"))
		return malformed (payload, len, "vCont?", error);
	while (next_item (&rest, &rest_len, ';', &item, &item_len)) {
		if (item_is (item, item_len, "c"))
			set |= KD_RSP_HAS_VCONT_C;
		else if (item_is (item, item_len, "s"))
			set |= KD_RSP_HAS_VCONT_S;
		else if (item_is (item, item_len, "t"))
			set |= KD_RSP_HAS_VCONT_T;
	}
	features->set = set;
	return TRUE;
}

gboolean
kd_rsp_parse_qemu_supported (
	const char *payload, size_t len, KdRspFeatures *features, GError **error)
{
	const char *rest = payload, *item;
	size_t rest_len = len, item_len;
	gboolean bits = FALSE;

	if (!check_answer (payload, len, "qqemu.Supported", error))
		return FALSE;
	while (next_item (&rest, &rest_len, ';', &item, &item_len)) {
		if (item_is (item, item_len, "sstepbits"))
			bits = TRUE;
		else if (item_is (item, item_len, "sstep") && bits)
			features->set |= KD_RSP_HAS_QEMU_SSTEP;
		else if (item_is (item, item_len, "PhyMemMode"))
			features->set |= KD_RSP_HAS_QEMU_PHYS;
	}
	return TRUE;
}

gboolean
kd_rsp_parse_memory (const char *payload, size_t len, size_t want, uint8_t *ret_bytes,
	size_t *ret_got, GError **error)
{
	if (!check_answer (payload, len, "memory read", error))
		return FALSE;
	if (len % 2 != 0 || len / 2 > want || !kd_hex_decode (payload, len / 2, ret_bytes))
		return malformed (payload, len, "memory read", error);
	*ret_got = len / 2;
	return TRUE;
}

gboolean
kd_rsp_parse_registers (const char *payload, size_t len, size_t max, uint8_t *ret_bytes,
	size_t *ret_got, gboolean *ret_unavailable, GError **error)
{
	gboolean unavailable = FALSE;

	if (!check_answer (payload, len, "register read", error))
		return FALSE;
	if (len % 2 != 0 || len / 2 > max)
		return malformed (payload, len, "register read", error);
	if (!kd_hex_decode (payload, len / 2, ret_bytes)) {
		for (size_t i = 0; i < len; i += 2) {
			if (payload[i] == 'x' && payload[i + 1] == 'x') {
				ret_bytes[i / 2] = 0;
				unavailable = TRUE;
			} else if (!kd_hex_decode (payload + i, 1, ret_bytes + i / 2)) {
				return malformed (payload, len, "register read", error);
			}
		}
	}
	*ret_got = len / 2;
	if (ret_unavailable)
		*ret_unavailable = unavailable;
	return TRUE;
}

gboolean
kd_rsp_parse_xfer (
	const char *payload, size_t len, GByteArray *into, gboolean *ret_last, GError **error)
{
	if (!check_answer (payload, len, "qXfer", error))
		return FALSE;
	if (payload[0] != 'l' && (payload[0] != 'm' || len == 1))
		return malformed (payload, len, "qXfer", error);
	if (into->len > KD_RSP_XFER_MAX || len - 1 > KD_RSP_XFER_MAX - into->len) {
		g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
			"qXfer: more than %u bytes", KD_RSP_XFER_MAX);
		return FALSE;
	}
	g_byte_array_append (into, (const guint8 *)payload + 1, (guint)(len - 1));
	*ret_last = payload[0] == 'l';
	return TRUE;
}

static gboolean
parse_id (const char *text, size_t len, gint64 *ret, size_t *ret_used)
{
	uint64_t value;

	if (len >= 2 && text[0] == '-' && text[1] == '1') {
		*ret = -1;
		*ret_used = 2;
		return TRUE;
	}
	if (!kd_hex_parse_prefix (text, len, &value, ret_used) || value > G_MAXINT64)
		return FALSE;
	*ret = (gint64)value;
	return TRUE;
}

gboolean
kd_rsp_thread_parse (const char *text, size_t len, KdRspThread *ret, size_t *ret_used)
{
	KdRspThread thread = {0, -1};
	size_t used = 0, part;

	if (len > 0 && text[0] == 'p') {
		if (!parse_id (text + 1, len - 1, &thread.pid, &part))
			return FALSE;
		used = 1 + part;
		/* Without a thread: all of the process's. */
		if (used == len || text[used] != '.') {
			*ret = thread;
			*ret_used = used;
			return TRUE;
		}
		used++;
	}
	if (!parse_id (text + used, len - used, &thread.tid, &part))
		return FALSE;
	*ret = thread;
	*ret_used = used + part;
	return TRUE;
}

gboolean
kd_rsp_parse_thread_info (
	const char *payload, size_t len, GArray *into, gboolean *ret_last, GError **error)
{
	const char *rest = payload + 1, *item;
	size_t rest_len = len - 1, item_len, used;
	guint before = into->len;

	if (!check_answer (payload, len, "thread list", error))
		return FALSE;
	if (len == 1 && payload[0] == 'l') {
		*ret_last = TRUE;
		return TRUE;
	}
	if (payload[0] != 'm')
		return malformed (payload, len, "thread list", error);
	while (next_item (&rest, &rest_len, ',', &item, &item_len)) {
		KdRspThread thread;

		if (!kd_rsp_thread_parse (item, item_len, &thread, &used) || used != item_len ||
			thread.tid <= 0) {
			g_array_set_size (into, before);
			return malformed (payload, len, "thread list", error);
		}
		if (into->len >= KD_RSP_THREADS_MAX) {
			g_array_set_size (into, before);
			g_set_error (error, KD_PROTO_ERROR, KD_PROTO_ERROR_TOO_LARGE,
				"thread list: more than %u threads", KD_RSP_THREADS_MAX);
			return FALSE;
		}
		g_array_append_val (into, thread);
	}
	*ret_last = FALSE;
	return TRUE;
}

gboolean
kd_rsp_parse_current_thread (const char *payload, size_t len, KdRspThread *ret, GError **error)
{
	KdRspThread thread;
	size_t used;

	if (!check_answer (payload, len, "qC", error))
		return FALSE;
	if (len < 3 || memcmp (payload, "QC", 2) != 0 ||
		!kd_rsp_thread_parse (payload + 2, len - 2, &thread, &used) || used != len - 2)
		return malformed (payload, len, "qC", error);
	*ret = thread;
	return TRUE;
}

static gboolean
parse_flag (const char *payload, size_t len, const char *what, gboolean *ret, GError **error)
{
	if (!check_answer (payload, len, what, error))
		return FALSE;
	if (len != 1 || (payload[0] != '0' && payload[0] != '1'))
		return malformed (payload, len, what, error);
	*ret = payload[0] == '1';
	return TRUE;
}

gboolean
kd_rsp_parse_attached (const char *payload, size_t len, gboolean *ret_attached, GError **error)
{
	return parse_flag (payload, len, "qAttached", ret_attached, error);
}

static char *
parse_text (const char *payload, size_t len, const char *what, GError **error)
{
	g_autofree char *text = NULL;

	if (!check_answer (payload, len, what, error))
		return NULL;
	text = g_malloc (len / 2 + 1);
	if (len % 2 != 0 || !kd_hex_decode (payload, len / 2, (uint8_t *)text)) {
		malformed (payload, len, what, error);
		return NULL;
	}
	text[len / 2] = '\0';
	return g_steal_pointer (&text);
}

char *
kd_rsp_parse_hex_text (const char *payload, size_t len, GError **error)
{
	return parse_text (payload, len, "qThreadExtraInfo", error);
}

char *
kd_rsp_parse_monitor (const char *payload, size_t len, GError **error)
{
	if (len == 2 && memcmp (payload, "OK", 2) == 0)
		return g_strdup ("");
	return parse_text (payload, len, "monitor command", error);
}

gboolean
kd_rsp_parse_qemu_sstepbits (const char *payload, size_t len, guint *ret_bits, GError **error)
{
	const char *rest = payload, *item;
	size_t rest_len = len, item_len;
	uint64_t value, bits = 0;

	if (!check_answer (payload, len, "qqemu.sstepbits", error))
		return FALSE;
	while (next_item (&rest, &rest_len, ',', &item, &item_len)) {
		const char *equals = memchr (item, '=', item_len);
		size_t name_len = equals ? (size_t)(equals - item) + 1 : item_len;

		if (!kd_hex_parse_u64 (item + name_len, item_len - name_len, &value) ||
			value > G_MAXUINT8)
			return malformed (payload, len, "qqemu.sstepbits", error);
		bits |= value;
	}
	*ret_bits = (guint)bits;
	return TRUE;
}

gboolean
kd_rsp_parse_qemu_sstep (const char *payload, size_t len, guint *ret_bits, GError **error)
{
	size_t skip = len > 2 && payload[0] == '0' && payload[1] == 'x' ? 2 : 0;
	uint64_t value;

	if (!check_answer (payload, len, "qqemu.sstep", error))
		return FALSE;
	if (!kd_hex_parse_u64 (payload + skip, len - skip, &value) || value > G_MAXUINT8)
		return malformed (payload, len, "qqemu.sstep", error);
	*ret_bits = (guint)value;
	return TRUE;
}

gboolean
kd_rsp_parse_qemu_phys (const char *payload, size_t len, gboolean *ret_on, GError **error)
{
	return parse_flag (payload, len, "qqemu.PhyMemMode", ret_on, error);
}
