/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-stub.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hex.h"
#include "proto/rsp-frame.h"

#define NR_CPUS 2
#define NR_REGS 5
#define READ_MAX 2048 /* half of PacketSize */

static const char target_xml[] =
	"l<?xml version=\"1.0\"?><target><architecture>aarch64</architecture>"
	"<feature name=\"org.gnu.gdb.aarch64.core\"><reg name=\"x0\" bitsize=\"64\"/>"
	"<reg name=\"sp\" bitsize=\"64\"/><reg name=\"pc\" bitsize=\"64\"/>"
	"<reg name=\"cpsr\" bitsize=\"32\"/></feature>"
	"<feature name=\"org.qemu.gdb.arm.sys.regs\"><reg name=\"VBAR\" bitsize=\"64\" "
	"regnum=\"40\" "
	"group=\"cp_regs\"/></feature></target>";

struct FakeStub {
	FakeScript script;
	GThread *thread;
	char *dir, *path, *address;
	int listener;
	GMutex lock; /* what follows is looked at from outside */
	int fd;      /* of its client; written by the thread alone */
	gboolean killed;
	GPtrArray *requests;
	GHashTable *breaks;
	gboolean phys, running, stepping[NR_CPUS];
	unsigned stray_bytes;
	/* The thread's own. */
	unsigned general, control, nr_steps;
	gboolean xml_read;
	uint64_t regs[NR_CPUS][NR_REGS];
};

uint8_t
fake_phys_byte (uint64_t pa)
{
	return (uint8_t)(pa * 7 + (pa >> 11));
}

uint8_t
fake_virt_byte (unsigned cpu, uint64_t va)
{
	return (uint8_t)(va ^ 0x55 ^ cpu << 7);
}

uint64_t
fake_reg (unsigned cpu, unsigned regnum)
{
	return 0x1000 * (cpu + 1) + 0x10 * MIN (regnum, NR_REGS - 1);
}

static void
put (FakeStub *stub, const void *bytes, size_t len)
{
	size_t chunk = stub->script.chunk ? stub->script.chunk : len;

	for (size_t done = 0; done < len;) {
		size_t n = MIN (chunk, len - done);

		g_usleep (stub->script.chunk_ms * 1000);
		if (send (stub->fd, (const char *)bytes + done, n, MSG_NOSIGNAL) != (ssize_t)n)
			return;
		done += n;
	}
}

static void
put_packet (FakeStub *stub, const char *payload)
{
	g_autoptr (GByteArray) frame = g_byte_array_new();

	kd_rsp_frame_encode (frame, payload, strlen (payload));
	put (stub, frame->data, frame->len);
}

static unsigned
reg_index (const char *hex)
{
	uint64_t regnum = 0;
	size_t used;

	kd_hex_parse_prefix (hex, strlen (hex), &regnum, &used);
	return (unsigned)MIN (regnum, NR_REGS - 1);
}

static char *
read_reg (FakeStub *stub, const char *request)
{
	unsigned index = reg_index (request + 1);
	size_t size = index == 3 ? 4 : 8;

	if (stub->script.p_needs_xml && !stub->xml_read)
		return g_strdup ("");
	return kd_hex_to_string (&stub->regs[stub->general][index], size);
}

static char *
write_reg (FakeStub *stub, const char *request)
{
	const char *value = strchr (request, '=');

	if (!stub->script.drops_writes && value)
		kd_hex_decode (value + 1, MIN (strlen (value + 1) / 2, 8),
			(uint8_t *)&stub->regs[stub->general][reg_index (request + 1)]);
	return g_strdup ("OK");
}

static char *
read_memory (FakeStub *stub, const char *request)
{
	uint64_t addr = 0, len = 0;
	const char *comma = strchr (request, ',');
	g_autofree uint8_t *bytes = NULL;
	size_t used;

	kd_hex_parse_prefix (request + 1, strlen (request + 1), &addr, &used);
	if (comma)
		kd_hex_parse_prefix (comma + 1, strlen (comma + 1), &len, &used);
	if (len > READ_MAX)
		return g_strdup ("E22");
	/* The first page is not mapped. */
	if (!stub->phys && addr < 0x1000)
		return g_strdup ("E14");
	bytes = g_malloc (len + 1);
	for (uint64_t i = 0; i < len; i++)
		bytes[i] = stub->phys ? fake_phys_byte (addr + i)
				      : fake_virt_byte (stub->general, addr + i);
	return kd_hex_to_string (bytes, len);
}

static char *
change_break (FakeStub *stub, const char *request)
{
	if (request[0] == 'Z')
		g_hash_table_add (stub->breaks, g_strdup (request + 1));
	else if (!g_hash_table_remove (stub->breaks, request + 1))
		return g_strdup ("E22");
	return g_strdup ("OK");
}

/* NULL: the machine runs on. */
static char *
resume (FakeStub *stub, const char *request)
{
	if (g_str_has_prefix (request, "vCont;s:p1.")) {
		unsigned cpu = request[11] == '2' ? 1 : 0;
		char behind;

		/* Whatever comes while the step lasts would stop it. */
		g_usleep (1000);
		if (recv (stub->fd, &behind, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			stub->stray_bytes++;
		stub->stepping[cpu] = TRUE;
		if (stub->script.sleeps && cpu == 1) {
			stub->running = TRUE;
			return NULL;
		}
		/* QEMU makes the CPU that trapped the one of Hg. */
		stub->general = stub->control = cpu;
		stub->stepping[cpu] = FALSE;
		if (!stub->script.lazy || ++stub->nr_steps % 2 == 0)
			stub->regs[stub->general][2] += 4;
		return g_strdup_printf ("T05thread:p01.0%u;", stub->general + 1);
	}
	/* CPU 1 gets two instructions far. */
	stub->regs[1][2] += 8;
	if (stub->script.run_stop) {
		stub->general = strstr (stub->script.run_stop, "p01.02") ? 1 : 0;
		return g_strdup (stub->script.run_stop);
	}
	stub->running = TRUE;
	return NULL;
}

static char *
answer_to (FakeStub *stub, const char *request)
{
	static const struct {
		const char *start, *answer;
	} fixed[] = {
		{"qSupported",
			"PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+"},
		{"vCont?", "vCont;c;C;s;S"},
		{"qqemu.Supported", "sstepbits;sstep;PhyMemMode"},
		{"?", "T05thread:p01.01;"},
		{"qfThreadInfo", "mp01.01"},
		{"qsThreadInfo", "mp01.02"},
		{"qRcmd,", "OK"},
		{"D", "OK"},
	};

	/* 7.2 gdbstub.c, handle_target_halt. */
	if (strcmp (request, "?") == 0)
		g_hash_table_remove_all (stub->breaks);
	if (stub->script.at && g_str_has_prefix (request, stub->script.at))
		return g_strdup (stub->script.answer);
	/* The second question is the list's end. */
	if (strcmp (request, "qsThreadInfo") == 0 &&
		strcmp (g_ptr_array_index (stub->requests, stub->requests->len - 2), request) == 0)
		return g_strdup ("l");
	for (size_t i = 0; i < G_N_ELEMENTS (fixed); i++)
		if (g_str_has_prefix (request, fixed[i].start))
			return g_strdup (fixed[i].answer);
	if (g_str_has_prefix (request, "qXfer:features:read:target.xml:0,")) {
		stub->xml_read = TRUE;
		return g_strdup (target_xml);
	}
	if (g_str_has_prefix (request, "Qqemu.PhyMemMode:")) {
		stub->phys = request[17] == '1';
		return g_strdup ("OK");
	}
	if (g_str_has_prefix (request, "Hgp1.") || g_str_has_prefix (request, "Hcp1.")) {
		*(request[1] == 'g' ? &stub->general : &stub->control) = request[5] == '2' ? 1 : 0;
		return g_strdup ("OK");
	}
	if (g_str_has_prefix (request, "qThreadExtraInfo,p1.")) {
		const char *text = stub->script.sleeps && request[20] == '2'
					   ? "cortex-a57 /machine/cpu[1] [halted ]"
					   : "cortex-a57 /machine/cpu[0] [running]";

		return kd_hex_to_string ((const uint8_t *)text, strlen (text));
	}
	switch (request[0]) {
	case 'p':
		return read_reg (stub, request);
	case 'P':
		return write_reg (stub, request);
	case 'm':
		return read_memory (stub, request);
	case 'Z':
	case 'z':
		return change_break (stub, request);
	case 'v':
		return g_str_has_prefix (request, "vCont;") ? resume (stub, request)
							    : g_strdup ("");
	default:
		return g_strdup ("");
	}
}

static gboolean
hangs_at (const FakeStub *stub, const char *request)
{
	return stub->script.hang_at && g_str_has_prefix (request, stub->script.hang_at);
}

/* Until the peer has had enough. */
static void
flood (FakeStub *stub)
{
	g_autoptr (GString) text = g_string_new (NULL);

	while (text->len < 4096)
		g_string_append (text, stub->script.flood);
	while (send (stub->fd, text->str, text->len, MSG_NOSIGNAL) > 0)
		;
}

/* FALSE: hang up. */
static gboolean
serve (FakeStub *stub, const char *request)
{
	g_autofree char *answer = NULL;

	g_mutex_lock (&stub->lock);
	g_ptr_array_add (stub->requests, g_strdup (request));
	if (!stub->script.silent)
		answer = answer_to (stub, request);
	g_mutex_unlock (&stub->lock);
	if (hangs_at (stub, request) && stub->script.flood)
		flood (stub);
	if (stub->script.silent || hangs_at (stub, request))
		return TRUE;
	g_usleep (stub->script.answer_ms * 1000);
	if (stub->script.die_at && g_str_has_prefix (request, stub->script.die_at)) {
		put (stub, "+$0123", 6);
		return FALSE;
	}
	if (stub->script.stop_at && g_str_has_prefix (request, stub->script.stop_at))
		put_packet (stub, "T02thread:p01.01;");
	put (stub, "+", 1);
	if (answer)
		put_packet (stub, answer);
	return TRUE;
}

/* A byte that comes while the machine runs stops it and is lost. */
static gboolean
take_byte_while_running (FakeStub *stub, uint8_t byte)
{
	gboolean running;

	g_mutex_lock (&stub->lock);
	running = stub->running;
	stub->running = FALSE;
	if (running && byte != 0x03)
		stub->stray_bytes++;
	if (running)
		stub->stepping[stub->control] = FALSE;
	g_mutex_unlock (&stub->lock);
	if (running && !hangs_at (stub, "\x03"))
		put_packet (stub, "T02thread:p01.01;");
	return running;
}

static void
serve_client (FakeStub *stub)
{
	g_autoptr (KdRspDecoder) decoder = kd_rsp_decoder_new();
	uint8_t byte;

	if (stub->script.greeting)
		put (stub, stub->script.greeting, strlen (stub->script.greeting));
	while (recv (stub->fd, &byte, 1, 0) == 1) {
		KdRspFrame frame;
		size_t used;

		if (take_byte_while_running (stub, byte))
			continue;
		if (kd_rsp_decoder_feed (decoder, &byte, 1, &used, &frame, NULL) !=
				KD_DECODE_MESSAGE ||
			frame.kind != KD_RSP_FRAME_PACKET)
			continue;
		if (!serve (stub, frame.payload))
			return;
	}
}

static gpointer
run (gpointer data)
{
	FakeStub *stub = data;
	int fd;

	while ((fd = accept (stub->listener, NULL, NULL)) >= 0) {
		g_mutex_lock (&stub->lock);
		stub->fd = fd;
		if (stub->killed)
			shutdown (fd, SHUT_RDWR);
		g_mutex_unlock (&stub->lock);
		serve_client (stub);
		g_mutex_lock (&stub->lock);
		stub->fd = -1;
		g_mutex_unlock (&stub->lock);
		close (fd);
	}
	return NULL;
}

FakeStub *
fake_stub_new (const FakeScript *script)
{
	FakeStub *stub = g_new0 (FakeStub, 1);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	stub->script = *script;
	stub->phys = script->left_phys;
	stub->fd = -1;
	stub->requests = g_ptr_array_new_with_free_func (g_free);
	stub->breaks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
		for (unsigned i = 0; i < NR_REGS; i++)
			stub->regs[cpu][i] = fake_reg (cpu, i);
	g_mutex_init (&stub->lock);
	stub->dir = g_dir_make_tmp ("fake-stub-XXXXXX", NULL);
	stub->path = g_build_filename (stub->dir, "gdb.sock", NULL);
	stub->address = g_strconcat ("unix:", stub->path, NULL);
	stub->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_strlcpy (addr.sun_path, stub->path, sizeof addr.sun_path);
	g_assert_cmpint (bind (stub->listener, (struct sockaddr *)&addr, sizeof addr), ==, 0);
	g_assert_cmpint (listen (stub->listener, 1), ==, 0);
	stub->thread = g_thread_new ("fake-stub", run, stub);
	return stub;
}

void
fake_stub_kill (FakeStub *stub)
{
	shutdown (stub->listener, SHUT_RDWR);
	g_mutex_lock (&stub->lock);
	stub->killed = TRUE;
	if (stub->fd >= 0)
		shutdown (stub->fd, SHUT_RDWR);
	g_mutex_unlock (&stub->lock);
}

void
fake_stub_free (FakeStub *stub)
{
	if (!stub)
		return;
	fake_stub_kill (stub);
	g_thread_join (stub->thread);
	close (stub->listener);
	g_unlink (stub->path);
	g_rmdir (stub->dir);
	g_ptr_array_unref (stub->requests);
	g_hash_table_unref (stub->breaks);
	g_mutex_clear (&stub->lock);
	g_free (stub->dir);
	g_free (stub->path);
	g_free (stub->address);
	g_free (stub);
}

const char *
fake_stub_address (const FakeStub *stub)
{
	return stub->address;
}

unsigned
fake_stub_count (FakeStub *stub, const char *start)
{
	unsigned nr = 0;

	g_mutex_lock (&stub->lock);
	for (guint i = 0; i < stub->requests->len; i++)
		nr += g_str_has_prefix (g_ptr_array_index (stub->requests, i), start) != 0;
	g_mutex_unlock (&stub->lock);
	return nr;
}

char *
fake_stub_last (FakeStub *stub)
{
	char *last = NULL;

	g_mutex_lock (&stub->lock);
	if (stub->requests->len > 0)
		last = g_strdup (g_ptr_array_index (stub->requests, stub->requests->len - 1));
	g_mutex_unlock (&stub->lock);
	return last;
}

unsigned
fake_stub_bytes_while_running (FakeStub *stub)
{
	unsigned nr;

	g_mutex_lock (&stub->lock);
	nr = stub->stray_bytes;
	g_mutex_unlock (&stub->lock);
	return nr;
}

unsigned
fake_stub_breaks (FakeStub *stub)
{
	unsigned nr;

	g_mutex_lock (&stub->lock);
	nr = g_hash_table_size (stub->breaks);
	g_mutex_unlock (&stub->lock);
	return nr;
}

void
fake_stub_set_break (FakeStub *stub, const char *text)
{
	g_mutex_lock (&stub->lock);
	g_hash_table_add (stub->breaks, g_strdup (text));
	g_mutex_unlock (&stub->lock);
}

gboolean
fake_stub_is_phys (FakeStub *stub)
{
	gboolean phys;

	g_mutex_lock (&stub->lock);
	phys = stub->phys;
	g_mutex_unlock (&stub->lock);
	return phys;
}

gboolean
fake_stub_is_stepping (FakeStub *stub)
{
	gboolean stepping;

	g_mutex_lock (&stub->lock);
	stepping = stub->stepping[0] || stub->stepping[1];
	g_mutex_unlock (&stub->lock);
	return stepping;
}

gboolean
fake_stub_is_running (FakeStub *stub)
{
	gboolean running;

	g_mutex_lock (&stub->lock);
	running = stub->running;
	g_mutex_unlock (&stub->lock);
	return running;
}
