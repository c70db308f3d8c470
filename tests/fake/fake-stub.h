/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * A gdb stub of two arm64 CPUs in a thread, over a UNIX socket, that does as QEMU's does and, where
 * its script says so, worse. It keeps what it was sent: tests look at that.
 */
typedef struct {
	const char *name;
	size_t chunk;          /* most bytes a write; 0: as they come */
	const char *greeting;  /* raw bytes sent as soon as somebody connects */
	gboolean silent;       /* reads and never answers */
	const char *die_at;    /* answers requests of this start with half a packet, and closes */
	const char *at;        /* answers requests of this start with … */
	const char *answer;    /* … this */
	const char *stop_at;   /* sends a stop reply nobody asked for in front of that answer */
	gboolean p_needs_xml;  /* QEMU 7.2: `p` is empty until target.xml was read */
	gboolean left_phys;    /* a client before has left physical mode on */
	gboolean drops_writes; /* `P` is OK and changes nothing */
	gboolean sleeps;       /* CPU 1 is in WFI: its steps do not end */
	gboolean lazy;         /* every second step ends before the CPU executes anything */
	unsigned answer_ms;    /* waits so long before each answer */
	unsigned chunk_ms;     /* waits so long before each chunk */
	const char *hang_at;   /* never answers requests of this start, "\x03" included … */
	const char *flood;     /* … but sends this without end */
	const char *run_stop;  /* the stop that ends vCont;c; NULL: runs until interrupted */
} FakeScript;

typedef struct FakeStub FakeStub;

FakeStub *fake_stub_new (const FakeScript *script);
void fake_stub_free (FakeStub *stub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeStub, fake_stub_free)

/* "unix:PATH" */
const char *fake_stub_address (const FakeStub *stub);
/* Requests that begin so, among those sent so far. */
unsigned fake_stub_count (FakeStub *stub, const char *start);
/* The last request; new string. */
char *fake_stub_last (FakeStub *stub);
/* Bytes that came while its machine ran, but for the interrupt. */
unsigned fake_stub_bytes_while_running (FakeStub *stub);
/* Breakpoints and watchpoints that are set in it now. */
unsigned fake_stub_breaks (FakeStub *stub);
void fake_stub_set_break (FakeStub *stub, const char *text); /* "0,1000,4" */
gboolean fake_stub_is_phys (FakeStub *stub);
gboolean fake_stub_is_running (FakeStub *stub);
/* A CPU is left in single-step: QEMU ends that, at a stop, for the CPU of Hc only. */
gboolean fake_stub_is_stepping (FakeStub *stub);
/* Hangs up, as a QEMU that is killed does. */
void fake_stub_kill (FakeStub *stub);

/* What it has: memory by address, registers by CPU. */
uint8_t fake_phys_byte (uint64_t pa);
uint8_t fake_virt_byte (unsigned cpu, uint64_t va);
uint64_t fake_reg (unsigned cpu, unsigned regnum);
