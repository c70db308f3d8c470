/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/qemu-process.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"

#define ENTRIES_MAX 65536
#define CHARDEVS_MAX 256

void
kd_socket_owner_clear (KdSocketOwner *owner)
{
	g_clear_pointer (&owner->program, g_free);
	g_clear_pointer (&owner->taken_by, g_free);
}

void
kd_mapping_clear (KdMapping *mapping)
{
	g_clear_pointer (&mapping->path, g_free);
}

static void
entry_clear (gpointer data)
{
	g_free (((KdSocketEntry *)data)->path);
}

GArray *
kd_socket_entries_new (void)
{
	GArray *entries = g_array_new (FALSE, TRUE, sizeof (KdSocketEntry));

	g_array_set_clear_func (entries, entry_clear);
	return entries;
}

/* --- pure parsers --- */

/* Cuts the next line off *text, without its end. FALSE: no more. */
static gboolean
next_line (const char **text, const char **ret_line, size_t *ret_len)
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

/* Cuts the next word (no spaces) off the line. */
static gboolean
next_word (const char **line, size_t *len, const char **ret_word, size_t *ret_len)
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

static gboolean
word_u64 (const char *word, size_t len, uint64_t *ret)
{
	g_autofree char *copy = g_strndup (word, len);

	return kd_parse_u64 (copy, ret);
}

/* "0100007F:04D2": the port. */
static gboolean
word_port (const char *word, size_t len, uint16_t *ret)
{
	const char *colon = memchr (word, ':', len);
	uint64_t port;

	if (!colon || !kd_hex_parse_u64 (colon + 1, (size_t)(word + len - colon - 1), &port) ||
		port > G_MAXUINT16)
		return FALSE;
	*ret = (uint16_t)port;
	return TRUE;
}

typedef struct {
	uint16_t local_port, remote_port;
	uint64_t state, inode;
} TcpLine;

static gboolean
parse_tcp_line (const char *line, size_t len, TcpLine *ret)
{
	const char *words[10];
	size_t lens[10];

	/* "sl local rem st tx:rx tr:when retrnsmt uid timeout inode" */
	for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
		if (!next_word (&line, &len, &words[i], &lens[i]))
			return FALSE;
	return word_port (words[1], lens[1], &ret->local_port) &&
	       word_port (words[2], lens[2], &ret->remote_port) &&
	       kd_hex_parse_u64 (words[3], lens[3], &ret->state) &&
	       word_u64 (words[9], lens[9], &ret->inode);
}

#define TCP_ESTABLISHED 1
#define TCP_LISTEN 10

void
kd_proc_net_tcp_parse (const char *text, uint16_t port, GArray *into)
{
	const char *line;
	size_t len;
	TcpLine tcp;

	while (next_line (&text, &line, &len) && into->len < ENTRIES_MAX) {
		KdSocketEntry entry = {0};

		if (!parse_tcp_line (line, len, &tcp) || tcp.local_port != port)
			continue;
		if (tcp.state != TCP_LISTEN && tcp.state != TCP_ESTABLISHED)
			continue;
		entry.inode = tcp.inode;
		entry.listening = tcp.state == TCP_LISTEN;
		entry.remote_port = tcp.remote_port;
		g_array_append_val (into, entry);
	}
}

uint64_t
kd_proc_net_tcp_find (const char *text, uint16_t local_port, uint16_t remote_port)
{
	const char *line;
	size_t len;
	TcpLine tcp;

	while (next_line (&text, &line, &len))
		if (parse_tcp_line (line, len, &tcp) && tcp.local_port == local_port &&
			tcp.remote_port == remote_port && tcp.state == TCP_ESTABLISHED)
			return tcp.inode;
	return 0;
}

#define UNIX_ACCEPTS 0x10000 /* __SO_ACCEPTCON */
#define UNIX_CONNECTED 3     /* SS_CONNECTED */

void
kd_proc_net_unix_parse (const char *text, GArray *into)
{
	const char *line;
	size_t len;

	while (next_line (&text, &line, &len) && into->len < ENTRIES_MAX) {
		const char *words[7];
		size_t lens[7], i;
		uint64_t flags, state;
		KdSocketEntry entry = {0};

		/* "Num RefCount Protocol Flags Type St Inode Path"; the path may hold spaces. */
		for (i = 0; i < G_N_ELEMENTS (words); i++)
			if (!next_word (&line, &len, &words[i], &lens[i]))
				break;
		if (i < G_N_ELEMENTS (words) || len < 2 ||
			!kd_hex_parse_u64 (words[3], lens[3], &flags) ||
			!kd_hex_parse_u64 (words[5], lens[5], &state) ||
			!word_u64 (words[6], lens[6], &entry.inode))
			continue;
		entry.listening = (flags & UNIX_ACCEPTS) != 0;
		if (!entry.listening && state != UNIX_CONNECTED)
			continue;
		entry.path = g_strndup (line + 1, len - 1);
		g_array_append_val (into, entry);
	}
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

	while (next_line (&text, &line, &len)) {
		const char *words[5], *dash, *colon;
		size_t lens[5], i;
		uint64_t start, end, offset, major, minor, inode;

		/* "start-end perms offset major:minor inode path" */
		for (i = 0; i < G_N_ELEMENTS (words); i++)
			if (!next_word (&line, &len, &words[i], &lens[i]))
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
			!word_u64 (words[4], lens[4], &inode) || addr < start || addr >= end)
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

static char *
program_of (int pid)
{
	char *comm = read_proc (pid, "comm", NULL);

	return comm ? g_strchomp (comm) : NULL;
}

gboolean
kd_process_is_qemu (int pid)
{
	g_autofree char *exe = read_proc_link (pid, "exe"), *comm = program_of (pid);
	g_autofree char *base = exe ? g_path_get_basename (exe) : NULL;

	/* The name can be changed by -name process=, the file's by whoever packages it. */
	return (base && (strstr (base, "qemu") || strstr (base, "kvm"))) ||
	       (comm && (strstr (comm, "qemu") || strstr (comm, "kvm")));
}

uint64_t
kd_process_start_time (int pid)
{
	g_autofree char *text = pid > 0 ? read_proc (pid, "stat", NULL) : NULL;
	const char *rest = text ? strrchr (text, ')') : NULL, *word;
	size_t len = rest ? strlen (rest) : 0, word_len = 0;
	uint64_t ticks;

	/* Field 22; the name in field 2 may hold spaces and brackets. proc(5). */
	for (int field = 2; field <= 22; field++) {
		if (!rest || !next_word (&rest, &len, &word, &word_len))
			return 0;
		/* Dead, though its parent has not been told yet. */
		if (field == 3 && word_len == 1 && (*word == 'Z' || *word == 'X'))
			return 0;
	}
	return word_u64 (word, word_len, &ticks) ? ticks : 0;
}

char **
kd_process_qmp_peers (int pid)
{
	size_t len = 0;
	g_autofree char *cmdline = read_proc (pid, "cmdline", &len);
	g_autofree char *cwd = read_proc_link (pid, "cwd");

	return kd_cmdline_qmp_peers (cmdline ? cmdline : "", len, cwd ? cwd : "/");
}

/* TRUE if `pid` has the socket open. */
static gboolean
has_socket (int pid, uint64_t inode)
{
	g_autofree char *dir_name = g_strdup_printf ("/proc/%d/fd", pid);
	g_autofree char *wanted = g_strdup_printf ("socket:[%" G_GUINT64_FORMAT "]", inode);
	GDir *dir = g_dir_open (dir_name, 0, NULL);
	gboolean found = FALSE;
	const char *name;

	while (dir && !found && (name = g_dir_read_name (dir))) {
		g_autofree char *path = g_build_filename (dir_name, name, NULL);
		char target[64];
		ssize_t n = readlink (path, target, sizeof target - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		found = strcmp (target, wanted) == 0;
	}
	if (dir)
		g_dir_close (dir);
	return found;
}

/* The first process that has the socket open; those with QEMU's name are asked first. 0: none. */
static int
find_socket_owner (uint64_t inode)
{
	for (int pass = 0; pass < 2; pass++) {
		GDir *dir = g_dir_open ("/proc", 0, NULL);
		const char *name;
		uint64_t pid;
		int found = 0;

		while (dir && !found && (name = g_dir_read_name (dir)))
			if (kd_parse_u64 (name, &pid) && pid <= G_MAXINT &&
				kd_process_is_qemu ((int)pid) == (pass == 0) &&
				has_socket ((int)pid, inode))
				found = (int)pid;
		if (dir)
			g_dir_close (dir);
		if (found)
			return found;
	}
	return 0;
}

/* TRUE if one may bind to it: then it is an address of this machine. */
static gboolean
is_local (const char *host)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	gboolean local = FALSE;

	if (getaddrinfo (host, NULL, &hints, &list) != 0)
		return FALSE;
	for (struct addrinfo *info = list; info && !local; info = info->ai_next) {
		int fd = socket (info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		local = fd >= 0 && bind (fd, info->ai_addr, info->ai_addrlen) == 0;
		if (fd >= 0)
			close (fd);
	}
	freeaddrinfo (list);
	return local;
}

static const char *const tcp_tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};

/* Who is at the other end of a connection to a local port. New string. */
static char *
describe_client (uint16_t port, uint16_t remote_port)
{
	for (size_t i = 0; i < G_N_ELEMENTS (tcp_tables); i++) {
		g_autofree char *text = NULL, *program = NULL;
		uint64_t inode;
		int pid;

		if (!g_file_get_contents (tcp_tables[i], &text, NULL, NULL))
			continue;
		inode = kd_proc_net_tcp_find (text, remote_port, port);
		pid = inode ? find_socket_owner (inode) : 0;
		program = pid ? program_of (pid) : NULL;
		if (program)
			return g_strdup_printf ("%s (process %d)", program, pid);
	}
	return g_strdup ("another client");
}

static void
find_tcp (uint16_t port, KdSocketOwner *owner)
{
	g_autoptr (GArray) entries = kd_socket_entries_new();

	for (size_t i = 0; i < G_N_ELEMENTS (tcp_tables); i++) {
		g_autofree char *text = NULL;

		if (g_file_get_contents (tcp_tables[i], &text, NULL, NULL))
			kd_proc_net_tcp_parse (text, port, entries);
	}
	for (guint i = 0; i < entries->len && !owner->pid; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);

		if (entry->listening)
			owner->pid = find_socket_owner (entry->inode);
	}
	for (guint i = 0; i < entries->len && owner->pid && !owner->taken_by; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);

		/* Waiting in the queue, it is nobody's yet. */
		if (!entry->listening && entry->inode && has_socket (owner->pid, entry->inode))
			owner->taken_by = describe_client (port, entry->remote_port);
	}
}

/* Whether a socket bound by `pid` to `bound` is the one at `path`. */
static gboolean
same_path (const char *bound, const char *path, int pid)
{
	g_autofree char *cwd = NULL, *full = NULL, *real_full = NULL, *real_path = NULL;
	gboolean same;
	char *real;

	if (strcmp (bound, path) == 0)
		return TRUE;
	/* Its first letter is '@' for a name that is no file. */
	if (bound[0] == '@' || !g_str_has_suffix (path, strrchr (bound, '/') ?: bound))
		return FALSE;
	cwd = bound[0] == '/' || !pid ? NULL : read_proc_link (pid, "cwd");
	if (bound[0] != '/' && !cwd)
		return FALSE;
	full = g_canonicalize_filename (bound, cwd ? cwd : "/");
	real = realpath (full, NULL);
	real_full = g_strdup (real);
	free (real);
	real = realpath (path, NULL);
	real_path = g_strdup (real);
	free (real);
	same = real_full && real_path && strcmp (real_full, real_path) == 0;
	return same;
}

static void
find_unix (const char *path, KdSocketOwner *owner)
{
	g_autoptr (GArray) entries = kd_socket_entries_new();
	g_autofree char *text = NULL, *base = g_path_get_basename (path), *bound = NULL;

	if (!g_file_get_contents ("/proc/net/unix", &text, NULL, NULL))
		return;
	kd_proc_net_unix_parse (text, entries);
	for (guint i = 0; i < entries->len && !owner->pid; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);
		int pid;

		if (!entry->listening || !g_str_has_suffix (entry->path, base))
			continue;
		pid = find_socket_owner (entry->inode);
		if (pid && same_path (entry->path, path, pid)) {
			owner->pid = pid;
			bound = g_strdup (entry->path);
		}
	}
	for (guint i = 0; i < entries->len && owner->pid && !owner->taken_by; i++) {
		const KdSocketEntry *entry = &g_array_index (entries, KdSocketEntry, i);

		if (!entry->listening && entry->inode && strcmp (entry->path, bound) == 0 &&
			has_socket (owner->pid, entry->inode))
			owner->taken_by = g_strdup ("another client");
	}
}

void
kd_socket_owner_find (const KdPeer *peer, KdSocketOwner *ret_owner)
{
	KdSocketOwner owner = {0};

	if (peer->kind == KD_TRANSPORT_UNIX)
		find_unix (peer->path, &owner);
	else if (is_local (peer->host))
		find_tcp (peer->port, &owner);
	if (owner.pid)
		owner.program = program_of (owner.pid);
	*ret_owner = owner;
}
