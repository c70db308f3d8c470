/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled at build time by the native compiler and, where there is one, for aarch64. The tests
 * know its symbols, types, lines and frames from here. It is never run.
 */
typedef unsigned int u32;
typedef unsigned long u64;

struct list_head {
	struct list_head *next, *prev;
};

enum colour { RED, GREEN = 5, BLUE };
enum balance { MINUS = -2, PLUS = 2 };

struct flags {
	u32 low : 3;
	u32 high : 29;
	unsigned char last : 1;
};

struct sample {
	struct list_head list;
	union {
		int number;
		char text[8];
	};
	struct {
		u32 inside[2][3];
	} named;
	int (*operation) (struct sample *self, const char *name, ...);
	volatile u64 *const counter;
	struct flags flags;
	enum colour colour;
	enum balance balance;
	struct opaque *opaque;
	_Bool yes;
	char tail[];
};

struct sample *sample_pointer;
struct sample sample_object = {.number = 1, .counter = 0};
const int sample_constant[4] = {1, 2, 3, 4};
static volatile int sample_sink;

static inline __attribute__ ((always_inline)) void
innermost (int x)
{
#line 101 "folder/other/../inner.h"
	sample_sink = x;
}

static inline __attribute__ ((always_inline)) void
middle (int x)
{
#line 201 "middle.h"
	innermost (x + 1);
}

__attribute__ ((noinline)) void
outer (int x)
{
#line 301 "outer.c"
	middle (x);
}

__attribute__ ((noinline)) int
sample_function (struct sample *self, enum balance balance)
{
	outer (balance);
	return self->number;
}

__attribute__ ((weak)) void
sample_weak (void)
{
	sample_sink = 3;
}

/* Rules of every kind, at instructions of known length from the label. */
__asm__(".text\n"
	".globl handmade\n"
	".type handmade, %function\n"
	".balign 16\n"
	"handmade:\n"
	".cfi_startproc\n"
	"nop\n"
	"handmade_frame:\n"
	".cfi_def_cfa_offset 48\n"
	".cfi_offset 3, -16\n"
	".cfi_escape 0x14, 12, 3\n" /* DW_CFA_val_offset, CFA - 24; clang 14 has no directive for it
				     */
	".cfi_register 13, 6\n"
	".cfi_undefined 5\n"
	".cfi_same_value 14\n"
#ifdef __aarch64__
	".cfi_negate_ra_state\n"
#endif
	"nop\n"
	"handmade_register:\n"
	".cfi_def_cfa_register 2\n"
	".cfi_escape 0x0f, 0x03, 0x73, 0x00, 0x06\n" /* CFA = *(r3 + 0) */
	"nop\n"
	".cfi_endproc\n"
	".size handmade, . - handmade\n");
