/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/qemu-process.h"

#include <string.h>
#include <unistd.h>

#include "base/hex.h"

#define CHARDEVS_MAX 256

void
kd_mapping_clear (KdMapping *mapping)
{
	g_clear_pointer (&mapping->path, g_free);
}

/* --- pure parsers --- */

gboolean
kd_proc_next_line (const char **text, const char **ret_line, size_t *ret_len)
{
	const char *end;

	if (!**text)
		return FALSE;
	end = strchr (*text, '\n');
	*ret_line = *text;
	*ret_len = end ? (size_t)(end - *text) : strlen (*text);
	*text = end ? end + 1 : *text + *ret_len;
	return TRUE;
}

gboolean
kd_proc_next_word (const char **line, size_t *len, const char **ret_word, size_t *ret_len)
{
	size_t n = 0;

	while (*len > 0 && **line == ' ') {
		(*line)++;
		(*len)--;
	}
	while (n < *len && (*line)[n] != ' ')
		n++;
	if (n == 0)
		return FALSE;
	*ret_word = *line;
	*ret_len = n;
	*line += n;
	*len -= n;
	return TRUE;
}

gboolean
kd_proc_word_u64 (const char *word, size_t len, uint64_t *ret)
{
	g_autofree char *copy = g_strndup (word, len);

	return kd_parse_u64 (copy, ret);
}

/* "key=value,key=value" with ",," for a comma; a first part without '=' is `implied`'s value. */
static GHashTable *
parse_opts (const char *text, const char *implied)
{
	GHashTable *opts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
	gboolean first = TRUE;

	while (*text) {
		g_autoptr (GString) part = g_string_new (NULL);
		const char *equals;

		for (; *text; text++) {
			if (*text == ',' && text[1] != ',')
				break;
			if (*text == ',')
				text++;
			g_string_append_c (part, *text);
		}
		if (*text)
			text++;
		equals = strchr (part->str, '=');
		if (equals)
			g_hash_table_insert (opts,
				g_strndup (part->str, (gsize)(equals - part->str)),
				g_strdup (equals + 1));
		else
			g_hash_table_insert (opts, g_strdup (first ? implied : part->str),
				g_strdup (first ? part->str : "on"));
		first = FALSE;
	}
	return opts;
}

static char *
tcp_peer (const char *host, const char *port)
{
	/* An address to listen on, not one to connect to. */
	gboolean any = !host || !*host || strcmp (host, "0.0.0.0") == 0 ||
		       strcmp (host, "::") == 0 || strcmp (host, "[::]") == 0;
	gboolean v6 = !any && strchr (host, ':') && *host != '[';

	return g_strdup_printf (v6 ? "[%s]:%s" : "%s:%s", any ? "localhost" : host, port);
}

static char *
unix_peer (const char *path, const char *cwd)
{
	g_autofree char *full = g_canonicalize_filename (path, cwd);

	return g_strconcat ("unix:", full, NULL);
}

/* A socket chardev's options as an address; NULL: none that can be connected to. */
static char *
chardev_peer (GHashTable *opts, const char *cwd)
{
	const char *path = g_hash_table_lookup (opts, "path");
	const char *port = g_hash_table_lookup (opts, "port");

	if (g_strcmp0 (g_hash_table_lookup (opts, "backend"), "socket") != 0)
		return NULL;
	if (path)
		return unix_peer (path, cwd);
	return port ? tcp_peer (g_hash_table_lookup (opts, "host"), port) : NULL;
}

/* -qmp's "unix:PATH,…" or "tcp:HOST:PORT,…". */
static char *
legacy_peer (const char *text, const char *cwd)
{
	g_autoptr (GHashTable) opts = parse_opts (text, "address");
	const char *address = g_hash_table_lookup (opts, "address");
	const char *colon;
	g_autofree char *host = NULL;

	if (!address)
		return NULL;
	if (g_str_has_prefix (address, "unix:"))
		return unix_peer (address + 5, cwd);
	if (!g_str_has_prefix (address, "tcp:"))
		return NULL;
	colon = strrchr (address + 4, ':');
	if (!colon)
		return NULL;
	host = g_strndup (address + 4, (gsize)(colon - address - 4));
	return tcp_peer (host, colon + 1);
}

typedef struct {
	const char *cwd;
	GHashTable *chardevs; /* id → address */
	GPtrArray *peers;     /* of address */
	GPtrArray *wanted;    /* ids of chardevs that are QMP monitors */
} CmdlineScan;

static void
scan_option (CmdlineScan *scan, const char *name, const char *value)
{
	g_autoptr (GHashTable) opts = NULL;
	const char *id;
	char *peer;

	if (strcmp (name, "qmp") == 0 || strcmp (name, "qmp-pretty") == 0) {
		if (g_str_has_prefix (value, "chardev:"))
			g_ptr_array_add (scan->wanted, g_strdup (value + 8));
		else if ((peer = legacy_peer (value, scan->cwd)))
			g_ptr_array_add (scan->peers, peer);
	} else if (strcmp (name, "mon") == 0) {
		opts = parse_opts (value, "chardev");
		id = g_hash_table_lookup (opts, "chardev");
		if (id && g_strcmp0 (g_hash_table_lookup (opts, "mode"), "control") == 0)
			g_ptr_array_add (scan->wanted, g_strdup (id));
	} else if (strcmp (name, "chardev") == 0 &&
		   g_hash_table_size (scan->chardevs) < CHARDEVS_MAX) {
		opts = parse_opts (value, "backend");
		id = g_hash_table_lookup (opts, "id");
		peer = chardev_peer (opts, scan->cwd);
		if (id && peer)
			g_hash_table_insert (scan->chardevs, g_strdup (id), peer);
		else
			g_free (peer);
	}
}

char **
kd_cmdline_qmp_peers (const char *cmdline, size_t len, const char *cwd)
{
	g_autoptr (GHashTable) chardevs =
		g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func (g_free);
	g_autoptr (GPtrArray) wanted = g_ptr_array_new_with_free_func (g_free);
	CmdlineScan scan = {cwd, chardevs, peers, wanted};
	g_autofree char *text = g_malloc (len + 2);
	const char *end = text + len, *word = text;

	/* Two, so that the word behind the last option is there too. */
	memcpy (text, cmdline, len);
	text[len] = text[len + 1] = '\0';
	while (word < end) {
		const char *value = word + strlen (word) + 1;

		if (word[0] == '-' && value < end)
			scan_option (&scan, word + (word[1] == '-' ? 2 : 1), value);
		word = value;
	}
	for (guint i = 0; i < wanted->len; i++) {
		const char *peer = g_hash_table_lookup (chardevs, wanted->pdata[i]);

		if (peer)
			g_ptr_array_add (peers, g_strdup (peer));
	}
	g_ptr_array_add (peers, NULL);
	return (char **)g_ptr_array_free (g_steal_pointer (&peers), FALSE);
}

gboolean
kd_proc_maps_find (const char *text, uint64_t addr, KdMapping *ret_mapping)
{
	const char *line;
	size_t len;

	while (kd_proc_next_line (&text, &line, &len)) {
		const char *words[5], *dash, *colon;
		size_t lens[5], i;
		uint64_t start, end, offset, major, minor, inode;

		/* "start-end perms offset major:minor inode path" */
		for (i = 0; i < G_N_ELEMENTS (words); i++)
			if (!kd_proc_next_word (&line, &len, &words[i], &lens[i]))
				break;
		if (i < G_N_ELEMENTS (words) || lens[1] != 4)
			continue;
		dash = memchr (words[0], '-', lens[0]);
		colon = memchr (words[3], ':', lens[3]);
		if (!dash || !colon ||
			!kd_hex_parse_u64 (words[0], (size_t)(dash - words[0]), &start) ||
			!kd_hex_parse_u64 (
				dash + 1, (size_t)(words[0] + lens[0] - dash - 1), &end) ||
			!kd_hex_parse_u64 (words[2], lens[2], &offset) ||
			!kd_hex_parse_u64 (words[3], (size_t)(colon - words[3]), &major) ||
			!kd_hex_parse_u64 (
				colon + 1, (size_t)(words[3] + lens[3] - colon - 1), &minor) ||
			!kd_proc_word_u64 (words[4], lens[4], &inode) || addr < start ||
			addr >= end)
			continue;
		while (len > 0 && *line == ' ') {
			line++;
			len--;
		}
		*ret_mapping = (KdMapping){start, end, offset, words[1][3] == 's', inode,
			(unsigned)major, (unsigned)minor, len > 0 ? g_strndup (line, len) : NULL};
		return TRUE;
	}
	return FALSE;
}

/* --- /proc --- */

static char *
read_proc (int pid, const char *name, size_t *ret_len)
{
	g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
	char *text = NULL;
	gsize len = 0;

	if (!g_file_get_contents (path, &text, &len, NULL))
		return NULL;
	if (ret_len)
		*ret_len = len;
	return text;
}

static char *
read_proc_link (int pid, const char *name)
{
	g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);

	return g_file_read_link (path, NULL);
}

char *
kd_process_program (int pid)
{
	char *comm = read_proc (pid, "comm", NULL);

	return comm ? g_strchomp (comm) : NULL;
}

char *
kd_process_cwd (int pid)
{
	return read_proc_link (pid, "cwd");
}

gboolean
kd_process_is_qemu (int pid)
{
	g_autofree char *exe = read_proc_link (pid, "exe"), *comm = kd_process_program (pid);
	g_autofree char *base = exe ? g_path_get_basename (exe) : NULL;

	/* The name can be changed by -name process=, the file's by whoever packages it. */
	return (base && (strstr (base, "qemu") || strstr (base, "kvm"))) ||
	       (comm && (strstr (comm, "qemu") || strstr (comm, "kvm")));
}

/* Fields 3 and 22 of its stat: the state's letter, and when it started in clock ticks. proc(5) */
static gboolean
read_stat (int pid, char *ret_state, uint64_t *ret_start)
{
	g_autofree char *text = pid > 0 ? read_proc (pid, "stat", NULL) : NULL;
	/* The name in field 2 may hold spaces and brackets. */
	const char *rest = text ? strrchr (text, ')') : NULL, *word;
	size_t len = rest ? strlen (rest) : 0, word_len = 0;

	for (int field = 2; field <= 22; field++) {
		if (!rest || !kd_proc_next_word (&rest, &len, &word, &word_len))
			return FALSE;
		if (field == 3)
			*ret_state = *word;
	}
	return kd_proc_word_u64 (word, word_len, ret_start);
}

uint64_t
kd_process_start_time (int pid)
{
	uint64_t start;
	char state;

	/* Dead, though its parent has not been told yet. */
	return read_stat (pid, &state, &start) && state != 'Z' && state != 'X' ? start : 0;
}

gboolean
kd_process_is_stopped (int pid)
{
	uint64_t start;
	char state;

	return read_stat (pid, &state, &start) && (state == 'T' || state == 't');
}

char **
kd_process_qmp_peers (int pid)
{
	size_t len = 0;
	g_autofree char *cmdline = read_proc (pid, "cmdline", &len);
	g_autofree char *cwd = kd_process_cwd (pid);

	return kd_cmdline_qmp_peers (cmdline ? cmdline : "", len, cwd ? cwd : "/");
}
