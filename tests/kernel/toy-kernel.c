/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A kernel's file in small: compiled for arm64 and never run. Its layout is toy-kernel.ld's; the
 * test puts it into a machine's memory and fills its variables in. Structures hold what kvmdbg
 * looks at, in an order of their own.
 */
typedef unsigned long long u64;
typedef struct {
	long counter;
} atomic_long_t;

struct list_head {
	struct list_head *next, *prev;
};

struct mm_struct {
	int users;
	u64 *pgd;
};

struct signal_struct {
	int live;
	struct list_head thread_head;
};

struct thread_info {
	unsigned long flags;
	unsigned int cpu;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	void *stack;
	unsigned int flags;
	int on_cpu;
	struct list_head tasks;
	struct mm_struct *mm;
	int exit_state;
	int pid, tgid;
	struct list_head thread_node;
	char comm[16];
	struct signal_struct *signal;
};

union thread_union {
	struct task_struct task;
	unsigned long stack[2048];
};

struct rq {
	unsigned int nr_running;
	struct task_struct *curr, *idle;
};

struct prb_data_blk_lpos {
	unsigned long begin, next;
};

struct prb_desc {
	atomic_long_t state_var;
	struct prb_data_blk_lpos text_blk_lpos;
};

struct printk_info {
	u64 seq, ts_nsec;
	unsigned short text_len;
	unsigned char facility;
	unsigned char flags : 5, level : 3;
	unsigned int caller_id;
};

struct prb_desc_ring {
	unsigned int count_bits;
	struct prb_desc *descs;
	struct printk_info *infos;
	atomic_long_t head_id, tail_id;
};

struct prb_data_ring {
	unsigned int size_bits;
	char *data;
	atomic_long_t head_lpos, tail_lpos;
};

struct printk_ringbuffer {
	struct prb_desc_ring desc_ring;
	struct prb_data_ring text_data_ring;
};

enum module_state { MODULE_STATE_LIVE, MODULE_STATE_COMING, MODULE_STATE_GOING };

struct module_layout {
	void *base;
	unsigned int size;
};

struct module {
	enum module_state state;
	struct list_head list;
	char name[56];
	struct module_layout core_layout, init_layout;
	struct mod_kallsyms *kallsyms;
	struct jump_entry *jump_entries;
	unsigned int num_jump_entries;
};

/* What the kernel patches in itself. */
struct jump_entry {
	int code, target;
	long key;
};

struct static_call_site {
	int addr, key;
};

struct dyn_ftrace {
	unsigned long ip, flags;
};

struct ftrace_page {
	struct ftrace_page *next;
	struct dyn_ftrace *records;
	int index;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct kprobe {
	struct hlist_node hlist;
	char *addr;
};

#ifdef OTHER
#define TOY_BANNER "Linux version 6.1.1-toy (a@b) #1 SMP\n"
#else
#define TOY_BANNER "Linux version 6.1.0-toy (a@b) #1 SMP\n"
#endif

#define SECTION(name) __attribute__ ((section (name), used))

SECTION (".head.text") const char head[4096] = "MZ";
SECTION (".vectors") const char vectors[2048] = {1};
SECTION (".vectors") const char __kvm_hyp_vector[2048] = {1};
SECTION (".rodata") const char linux_banner[] = TOY_BANNER;
SECTION (".data") union thread_union init_thread_union = {.stack = {1}};
SECTION (".data") struct task_struct init_task = {.pid = 0, .comm = "swapper/0"};
SECTION (".data") struct task_struct toy_tasks[6] = {{.pid = 1}};
SECTION (".data") struct signal_struct toy_signals[4] = {{1}};
SECTION (".data") struct mm_struct toy_mm = {.users = 1};
SECTION (".data") u64 kimage_voffset = 1;
SECTION (".data") unsigned int nr_cpu_ids = 2;
SECTION (".data") u64 __per_cpu_offset[4] = {1};
SECTION (".data") struct printk_ringbuffer printk_rb_static = {.desc_ring = {3}};
SECTION (".data") struct printk_ringbuffer *prb = 0;
SECTION (".data") struct prb_desc toy_descs[8] = {{{1}}};
SECTION (".data") struct printk_info toy_infos[8] = {{1}};
SECTION (".data") char toy_text[256] = {1};
SECTION (".data..percpu") struct rq runqueues = {1};
SECTION (".data") struct rq toy_areas[2] = {{1}};
SECTION (".data") struct list_head modules = {(void *)1};
SECTION (".data") struct module toy_modules[4] = {{MODULE_STATE_COMING}};
SECTION (".data") struct ftrace_page *ftrace_pages_start = 0;
SECTION (".data") struct ftrace_page toy_ftrace_pages[4] = {{0}};
SECTION (".data") struct dyn_ftrace toy_ftrace_records[16] = {{0}};
SECTION (".data") struct hlist_head kprobe_table[4] = {{0}};
SECTION (".data") struct kprobe toy_kprobes[4] = {{{0}}};
SECTION (".jumps") struct jump_entry toy_jumps[16] = {{0}};
SECTION (".static_calls") struct static_call_site toy_static_calls[16] = {{0}};
SECTION (".tables") u64 swapper_pg_dir[512] = {1};
SECTION (".tables") u64 toy_user_pgd[512] = {1};
