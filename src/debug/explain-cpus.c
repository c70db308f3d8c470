/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "debug/explain.h"
#include "kernel/object.h"
#include "kernel/task.h"

#define STACK_MAX (1U << 20)

static gboolean
irqs_are_off (KdKernel *kernel, unsigned cpu)
{
	KdTarget *target = kd_kernel_target (kernel);
	KdTargetCpu regs = {target, cpu};

	return kd_target_arch (target)->irqs_off (kd_target_cpu_reg, &regs);
}

/* "cpu_do_idle+0xc"; what it does where there is none. */
static char *
where (KdExplain *explain, unsigned cpu)
{
	const KdBacktrace *trace = kd_explain_backtrace (explain, cpu);
	const KdFrame *frame =
		trace && trace->frames->len ? &g_array_index (trace->frames, KdFrame, 0) : NULL;

	if (frame && frame->symbol)
		return g_strdup_printf ("%s+0x%" PRIx64, frame->symbol, frame->offset);
	return g_strdup (trace ? trace->context : "?");
}

/* --- off its stack --- */

typedef struct {
	uint64_t sp;
	gboolean found;
	GString *known;
} Stacks;

static void
look_at_stack (const char *name, uint64_t low, uint64_t size, void *data)
{
	Stacks *stacks = data;

	if (low == 0)
		return;
	/* An empty stack's pointer is behind it. */
	if (stacks->sp >= low && stacks->sp - low <= size)
		stacks->found = TRUE;
	g_string_append_printf (
		stacks->known, "%s%s 0x%" PRIx64, stacks->known->len ? ", " : "", name, low);
}

/* While a task is switched the run queue names the next one, and the stack is still the last's. */
static gboolean
has_sp (const KdTask *task, void *data)
{
	Stacks *stacks = data;

	stacks->found = task->stack && stacks->sp >= task->stack &&
			stacks->sp - task->stack <= task->stack_size;
	return !stacks->found;
}

/* On the way in from user space, before the stack is changed: a system call of x86. */
static gboolean
has_user_stack (const KdBacktrace *trace, uint64_t sp)
{
	const KdFrame *last = trace && trace->frames->len ? &g_array_index (trace->frames, KdFrame,
								    trace->frames->len - 1)
							  : NULL;

	return last && last->space.kind == KD_SPACE_USER && last->has_sp && last->sp == sp;
}

void
kd_explain_off_stack (KdExplain *explain, unsigned cpu)
{
	KdKernel *kernel = kd_explain_kernel (explain);
	KdTarget *target = kd_kernel_target (kernel);
	const KdUnwindIsa *isa = kd_unwind_isa (kd_target_arch (target));
	g_autoptr (GString) known = g_string_new (NULL);
	Stacks stacks = {.known = known};
	KdFinding *finding;
	KdTask task;

	/* Only where the kernel runs: on the way in from user space it has the stack of that. */
	if (!isa || kd_kernel_cpu_state (kernel, cpu).mode != KD_CPU_MODE_KERNEL ||
		!kd_target_reg_get (target, cpu, kd_target_arch (target)->sp, &stacks.sp, NULL) ||
		!kd_task_current (kernel, cpu, &task, NULL) || task.stack_size == 0)
		return;
	look_at_stack ("task", task.stack, task.stack_size, &stacks);
	isa->stacks (kernel, cpu, task.stack_size, look_at_stack, &stacks);
	if (!stacks.found)
		kd_task_foreach (kernel, has_sp, &stacks, NULL);
	if (stacks.found || kd_explain_bends_sp (explain, cpu) ||
		has_user_stack (kd_explain_backtrace (explain, cpu), stacks.sp))
		return;
	finding = kd_explain_add (explain, "off-stack", KD_SEVERITY_FATAL, (int)cpu,
		"CPU %u runs kernel code with a stack pointer that is on none of its stacks", cpu);
	kd_finding_add (finding, g_strdup_printf ("regs --cpu %u", cpu),
		"the stack pointer is 0x%" PRIx64 "; its stacks begin at: %s", stacks.sp,
		known->str);
	if (stacks.sp < task.stack && task.stack - stacks.sp < task.stack_size)
		kd_finding_add (finding, g_strdup_printf ("bt --cpu %u", cpu),
			"it is 0x%" PRIx64 " bytes below the stack of %s (%d): that has overflowed",
			task.stack - stacks.sp, task.comm, task.pid);
}

/* --- waiting for another CPU to run a function --- */

static gboolean
csd_is_locked (KdKernel *kernel, const KdObject *csd, uint64_t *ret_func)
{
	int64_t lock;
	uint64_t flags;

	if (!kd_kernel_enumerator (kernel, "CSD_FLAG_LOCK", &lock) ||
		!kd_object_member_u64 (csd, "node.u_flags", &flags, NULL) ||
		!(flags & (uint64_t)lock))
		return FALSE;
	*ret_func = 0;
	kd_object_member_u64 (csd, "func", ret_func, NULL);
	return TRUE;
}

static void
add_csd (KdExplain *explain, unsigned waiter, unsigned awaited, uint64_t csd, uint64_t func)
{
	KdKernel *kernel = kd_explain_kernel (explain);
	g_autofree char *name = kd_kernel_symbolize (kernel, func);
	g_autofree char *doing = where (explain, awaited);
	KdFinding *finding = kd_explain_add (explain, "csd-wait", KD_SEVERITY_WARNING, (int)waiter,
		"CPU %u waits for CPU %u to run %s", waiter, awaited, name);

	kd_finding_add (finding,
		g_strdup_printf ("print *(struct __call_single_data *)0x%" PRIx64, csd),
		"the csd at 0x%" PRIx64 " is locked: CPU %u has not run it yet", csd, awaited);
	kd_finding_add (finding, g_strdup_printf ("bt --cpu %u", awaited),
		"CPU %u is in %s, with interrupts %s", awaited, doing,
		irqs_are_off (kernel, awaited) ? "off: it cannot take the IPI" : "on");
}

void
kd_explain_csd (KdExplain *explain, unsigned cpu)
{
	const KdBacktrace *trace = kd_explain_backtrace (explain, cpu);
	KdKernel *kernel = kd_explain_kernel (explain);
	KdObject cfd, csd;
	uint64_t base, offset, func, dst;

	if (kd_explain_in (trace, "smp_call_function_many_cond", NULL) &&
		kd_object_percpu (
			kernel, "cfd_data", "struct call_function_data", cpu, &cfd, NULL)) {
		gboolean wrapped = kd_object_has_member (&cfd, "pcpu");
		unsigned nr = kd_target_nr_cpus (kd_kernel_target (kernel));

		for (unsigned other = 0; other < nr; other++)
			if (other != cpu &&
				kd_object_member_u64 (
					&cfd, wrapped ? "pcpu" : "csd", &base, NULL) &&
				kd_kernel_percpu_offset (kernel, other, &offset, NULL) &&
				(wrapped ? kd_object_container_of (kernel, base + offset,
						   "struct cfd_percpu", "csd", &csd, NULL) &&
							kd_object_member (&csd, "csd", &csd, NULL)
					 : kd_object_at_named (kernel, "struct __call_single_data",
						   base + offset, &csd, NULL)) &&
				csd_is_locked (kernel, &csd, &func))
				add_csd (explain, cpu, other, csd.addr.value, func);
	} else if (kd_explain_in (trace, "smp_call_function_single", NULL) &&
		   kd_object_percpu (
			   kernel, "csd_data", "struct __call_single_data", cpu, &csd, NULL) &&
		   csd_is_locked (kernel, &csd, &func) &&
		   kd_object_member_u64 (&csd, "node.dst", &dst, NULL) &&
		   dst < kd_target_nr_cpus (kd_kernel_target (kernel)))
		add_csd (explain, cpu, (unsigned)dst, csd.addr.value, func);
}

/* --- spinning for a lock --- */

/*
 * A queued lock's word while somebody holds it (include/asm-generic/qspinlock_types.h, fewer than
 * 16K CPUs): 1 in its first byte, 0 or 1 in the next, and behind two bits more the number of the
 * last CPU in the queue plus 1.
 */
static gboolean
is_held (uint32_t word, unsigned nr_cpus)
{
	return (word & 0xff) == 1 && (word & 0xff00) <= 0x100 && word >> 18 <= nr_cpus;
}

/* The lock that the CPU spins for is in one of its registers. FALSE: in none, or there are several.
 */
static gboolean
find_lock (KdKernel *kernel, unsigned cpu, uint64_t *ret_lock, uint32_t *ret_word)
{
	KdTarget *target = kd_kernel_target (kernel);
	unsigned nr;
	const KdRegInfo *infos = kd_target_reg_infos (target, &nr);
	KdTask task = {0};

	*ret_lock = 0;
	kd_task_current (kernel, cpu, &task, NULL);
	for (unsigned i = 0; i < nr; i++) {
		uint64_t value;
		uint32_t word;

		if (g_strcmp0 (infos[i].group, "general") != 0 || infos[i].bits != 64 ||
			!kd_target_reg_get (target, cpu, infos[i].name, &value, NULL) ||
			!(value >> 63) || value % 4 || value - task.stack < task.stack_size ||
			value == *ret_lock ||
			!kd_kernel_read (kernel, kd_addr_kernel (value), &word, sizeof word, NULL))
			continue;
		word = GUINT32_FROM_LE (word);
		if (!is_held (word, kd_target_nr_cpus (target)))
			continue;
		if (*ret_lock) {
			*ret_lock = 0;
			return FALSE;
		}
		*ret_lock = value;
		*ret_word = word;
	}
	return *ret_lock != 0;
}

/* TRUE: the stack of the task that the CPU runs has that address, in use or not any more, at
 * *ret_place. */
static gboolean
has_address (KdKernel *kernel, unsigned cpu, uint64_t addr, uint64_t *ret_place)
{
	KdTarget *target = kd_kernel_target (kernel);
	g_autofree uint64_t *words = NULL;
	uint64_t sp, low;
	KdTask task;
	size_t size;

	if (!kd_task_current (kernel, cpu, &task, NULL) || !task.stack ||
		task.stack_size > STACK_MAX)
		return FALSE;
	low = task.stack;
	if (kd_target_reg_get (target, cpu, kd_target_arch (target)->sp, &sp, NULL) &&
		sp - task.stack < task.stack_size)
		low = sp & ~UINT64_C (7);
	size = (size_t)(task.stack + task.stack_size - low);
	words = g_malloc0 (MAX (size, 1));
	if (!kd_kernel_read (kernel, kd_addr_kernel (low), words, size, NULL))
		return FALSE;
	for (size_t i = 0; i < size / 8; i++)
		if (GUINT64_FROM_LE (words[i]) == addr) {
			*ret_place = low + 8 * i;
			return TRUE;
		}
	return FALSE;
}

/* The function of a lock that the CPU spins in, and the frame of who wants the lock. */
static const char *
find_spinning (const KdBacktrace *trace, guint *ret_index, guint *ret_caller)
{
	static const char *const functions[] = {"queued_spin_lock_slowpath",
		"native_queued_spin_lock_slowpath", "__pv_queued_spin_lock_slowpath",
		"queued_read_lock_slowpath", "queued_write_lock_slowpath"};
	guint inner = 0; /* frames of functions that it has called */
	const char *found = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
		guint index;

		/* The innermost: one may be inlined into what calls the other. */
		if (!kd_explain_in (trace, functions[i], &index) || (found && index > *ret_index))
			continue;
		found = functions[i];
		*ret_index = index;
	}
	if (!found)
		return NULL;
	for (guint k = 0; k < *ret_index; k++)
		inner += !g_array_index (trace->frames, KdFrame, k).inlined;
	/* An interrupt may have been taken there: then the CPU does something else. */
	if (inner > 1)
		return NULL;
	/* Its callers, behind what only takes the lock. */
	*ret_caller = *ret_index;
	while (*ret_caller + 1 < trace->frames->len) {
		const char *symbol = g_array_index (trace->frames, KdFrame, ++*ret_caller).symbol;

		if (!symbol || !strstr (symbol, "_lock"))
			break;
	}
	return found;
}

/* Any CPU's frames, the one's that waits among them. */
static gboolean
find_holder (KdExplain *explain, uint64_t lock, KdLockHolder *ret_holder)
{
	KdKernel *kernel = kd_explain_kernel (explain);

	for (unsigned cpu = 0; cpu < kd_target_nr_cpus (kd_kernel_target (kernel)); cpu++) {
		const KdBacktrace *trace = kd_explain_backtrace (explain, cpu);

		if (trace && kd_lock_holder_find (kernel, kd_explain_lock_flows (explain), trace,
				     lock, ret_holder))
			return TRUE;
	}
	return FALSE;
}

static void
add_holder (KdExplain *explain, KdFinding *finding, KdLockHolder *holder)
{
	KdKernel *kernel = kd_explain_kernel (explain);
	g_autofree char *at = kd_kernel_symbolize (kernel, holder->pc);
	g_autofree char *taken = kd_kernel_symbolize (kernel, holder->taken_at);

	finding->has_holder = TRUE;
	finding->holder = *holder;
	kd_finding_add (finding, g_strdup_printf ("bt --cpu %u", holder->cpu),
		"CPU %u%s holds the lock: its frame %u is at %s", holder->cpu,
		(int)holder->cpu == finding->cpu ? " itself" : "", holder->frame, at);
	kd_finding_add (finding, g_strdup_printf ("dis 0x%" PRIx64, holder->function_addr),
		"on each way there from the function's start the lock is taken, at %s, and not "
		"given back",
		taken);
	kd_finding_add (finding, g_strdup_printf ("dis --count 1 0x%" PRIx64, holder->taken_at),
		"what is taken there is %s", holder->argument);
	if (holder->given_back_at) {
		g_autofree char *given = kd_kernel_symbolize (kernel, holder->given_back_at);

		kd_finding_add (finding,
			g_strdup_printf ("dis --count 1 0x%" PRIx64, holder->given_back_at),
			"it will give the lock back at %s", given);
	}
}

/* Queued locks do not keep who holds them; who does has its address somewhere. */
static void
add_others (KdExplain *explain, KdFinding *finding, uint64_t lock)
{
	KdKernel *kernel = kd_explain_kernel (explain);

	if (lock)
		kd_finding_add (finding, g_strdup ("bt --all"),
			"nobody is shown to hold it: no frame of a CPU is where its code has taken "
			"it and not given it back");
	for (unsigned other = 0; other < kd_target_nr_cpus (kd_kernel_target (kernel)); other++) {
		g_autofree char *doing = (int)other != finding->cpu ? where (explain, other) : NULL;
		uint64_t place = 0;

		if (doing && lock && has_address (kernel, other, lock, &place))
			kd_finding_add (finding, g_strdup_printf ("mem 0x%" PRIx64 " 8", place),
				"CPU %u, in %s, has that address on its stack: it may hold the "
				"lock",
				other, doing);
		else if (doing)
			kd_finding_add (finding, g_strdup_printf ("bt --cpu %u", other),
				"the lock does not say who holds it; CPU %u is in %s%s", other,
				doing, lock ? ", without its address on the stack" : "");
	}
}

/* The lock and its word; FALSE: nothing tells which it is. */
static gboolean
find_waited (KdExplain *explain, unsigned cpu, guint index, uint64_t *ret_lock, uint32_t *ret_word,
	const char **ret_how)
{
	KdKernel *kernel = kd_explain_kernel (explain);
	uint64_t lock;

	*ret_how = "that function was called with";
	if (kd_lock_holder_argument (kernel, kd_explain_lock_flows (explain),
		    kd_explain_backtrace (explain, cpu), index, &lock) &&
		kd_kernel_read (kernel, kd_addr_kernel (lock), ret_word, sizeof *ret_word, NULL)) {
		*ret_word = GUINT32_FROM_LE (*ret_word);
		*ret_lock = lock;
		return TRUE;
	}
	*ret_how = "of its registers only one leads to a held lock:";
	return find_lock (kernel, cpu, ret_lock, ret_word);
}

/*
 * TRUE: who waits in that function may take the lock. Its first byte says that a spinlock is held,
 * or a reader-writer lock by a writer; a writer waits for readers too, behind a bit of its own
 * (_QW_WAITING of include/asm-generic/qrwlock.h).
 */
static gboolean
is_free_for (const char *function, uint32_t word)
{
	return (word & (strstr (function, "_write_") ? ~UINT32_C (0x100) : 0xff)) == 0;
}

/* How a title ends: new string. */
static char *
say_held (gboolean is_free, const KdLockHolder *holder, unsigned cpu)
{
	if (is_free)
		return g_strdup ("; it is free by now");
	if (!holder)
		return g_strdup ("");
	if (holder->cpu == cpu)
		return g_strdup_printf ("; it holds that itself, in %s", holder->function);
	return g_strdup_printf ("; CPU %u holds it, in %s", holder->cpu, holder->function);
}

void
kd_explain_spinlock (KdExplain *explain, unsigned cpu)
{
	const KdBacktrace *trace = kd_explain_backtrace (explain, cpu);
	KdKernel *kernel = kd_explain_kernel (explain);
	gboolean off = irqs_are_off (kernel, cpu), is_free, has_holder;
	g_autofree char *held = NULL;
	guint index = 0, caller = 0;
	const char *function = find_spinning (trace, &index, &caller), *wanted, *how;
	KdLockHolder holder = {0};
	uint64_t lock = 0;
	uint32_t word = 0;
	KdFinding *finding;

	if (!function)
		return;
	if (!find_waited (explain, cpu, index, &lock, &word, &how))
		lock = 0;
	is_free = lock && is_free_for (function, word);
	has_holder = lock && !is_free && find_holder (explain, lock, &holder);
	held = say_held (is_free, has_holder ? &holder : NULL, cpu);
	wanted = g_array_index (trace->frames, KdFrame, caller).symbol;
	finding = kd_explain_add (explain, "spinlock",
		off && !is_free ? KD_SEVERITY_ERROR : KD_SEVERITY_WARNING, (int)cpu,
		"CPU %u spins for a lock that %s takes, with interrupts %s%s", cpu,
		wanted ? wanted : "?", off ? "off" : "on", held);
	kd_finding_add (finding, g_strdup_printf ("bt --cpu %u", cpu), "it is in %s", function);
	if (lock) {
		g_autofree char *name = kd_lock_name (kernel, lock);

		finding->has_lock = TRUE;
		finding->lock = lock;
		kd_finding_add (finding, g_strdup_printf ("mem 0x%" PRIx64 " 4", lock),
			"%s %s, whose word is 0x%x", how, name, word);
	}
	if (has_holder)
		add_holder (explain, finding, &holder);
	else if (!is_free)
		add_others (explain, finding, lock);
}

/* --- the kernel has given up --- */

void
kd_explain_panic (KdExplain *explain, unsigned cpu)
{
	static const char *const functions[] = {"panic", "nmi_panic", "panic_smp_self_stop", "die",
		"oops_end", "make_task_dead", "bust_spinlocks"};
	const KdBacktrace *trace = kd_explain_backtrace (explain, cpu);
	guint index = 0;

	for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
		KdFinding *finding;

		if (!kd_explain_in (trace, functions[i], &index))
			continue;
		finding = kd_explain_add (explain, "panic", KD_SEVERITY_FATAL, (int)cpu,
			"CPU %u is in %s(): the kernel has given up", cpu, functions[i]);
		kd_finding_add (finding, g_strdup_printf ("bt --cpu %u", cpu),
			"frame %u of its stack; the reason is in the log, and behind that frame",
			index);
		kd_finding_add (finding, g_strdup ("log"), "what the kernel printed last");
		return;
	}
}
