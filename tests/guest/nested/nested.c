/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests of a test machine: VMs of known shape that run for ever. Prints what it made as lines
 * "witness key=value …", and returns when every vCPU has run; the VMs live on in their own
 * processes.
 */
#define _GNU_SOURCE

#include "nested.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VCPUS_MAX 16

struct vcpu {
	unsigned index;
	int fd;
	pid_t tid;
	struct kvm_run *run;
	atomic_ulong exits;
};

static struct {
	unsigned vms, vcpus, idle, sleep_us, call;
	unsigned long read;
	int pin;
} options = {.vms = 1, .vcpus = 2, .sleep_us = 2000};

static struct vcpu vcpus[VCPUS_MAX];
static pthread_barrier_t started;

static _Noreturn void
fail (const char *what)
{
	fprintf (stderr, "nested: %s: %s\n", what, strerror (errno));
	exit (1);
}

int
must_ioctl (int fd, unsigned long request, void *arg, const char *what)
{
	int result = ioctl (fd, request, arg);

	if (result < 0)
		fail (what);
	return result;
}

static void *
add_slot (int vm_fd, unsigned vm, unsigned slot, uint64_t gpa, uint64_t size, unsigned flags)
{
	void *memory =
		mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (memory == MAP_FAILED)
		fail ("mmap");
	must_ioctl (vm_fd, KVM_SET_USER_MEMORY_REGION, &region, "memslot");
	printf ("witness vm=%u slot=%u gpa=0x%llx size=%llu hva=0x%llx flags=%u\n", vm, slot,
		(unsigned long long)gpa, (unsigned long long)size,
		(unsigned long long)(uintptr_t)memory, flags);
	return memory;
}

static void
pin_to (unsigned index)
{
	cpu_set_t cpus;

	CPU_ZERO (&cpus);
	CPU_SET (index % sysconf (_SC_NPROCESSORS_ONLN), &cpus);
	if (sched_setaffinity (0, sizeof (cpus), &cpus))
		fail ("pin");
}

static void *
run_vcpu (void *arg)
{
	struct vcpu *vcpu = arg;
	char name[24];

	snprintf (name, sizeof (name), "vcpu%u", vcpu->index);
	prctl (PR_SET_NAME, name);
	vcpu->tid = syscall (SYS_gettid);
	if (options.pin)
		pin_to (vcpu->index);
	pthread_barrier_wait (&started);
	for (;;) {
		if (ioctl (vcpu->fd, KVM_RUN, NULL) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			fail ("KVM_RUN");
		}
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO ||
			vcpu->run->mmio.phys_addr != GPA_MMIO) {
			fprintf (stderr, "nested: vcpu %u: exit reason %u\n", vcpu->index,
				vcpu->run->exit_reason);
			exit (1);
		}
		atomic_fetch_add (&vcpu->exits, 1);
		if (options.sleep_us)
			usleep (options.sleep_us);
	}
	return NULL;
}

static void
make_vcpus (int vm_fd, unsigned vm, size_t run_size)
{
	unsigned n = options.vcpus + options.idle;
	pthread_t thread;

	for (unsigned i = 0; i < n; i++) {
		vcpus[i].index = i;
		vcpus[i].fd = must_ioctl (vm_fd, KVM_CREATE_VCPU, (void *)(uintptr_t)i, "vcpu");
		vcpus[i].run =
			mmap (NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpus[i].fd, 0);
		if (vcpus[i].run == MAP_FAILED)
			fail ("mmap vcpu");
		arch_vcpu_init (
			vm_fd, vcpus[i].fd, i, vm << 8 | i | (i >= options.vcpus ? ARG_IDLE : 0));
	}
	arch_vm_ready (vm_fd);
	pthread_barrier_init (&started, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create (&thread, NULL, run_vcpu, &vcpus[i]))
			fail ("thread");
	pthread_barrier_wait (&started);
	for (unsigned i = 0; i < n; i++) {
		char registers[256];

		arch_witness (registers, sizeof (registers), vm << 8 | i);
		printf ("witness vm=%u vcpu=%u comm=vcpu%u tid=%d fd=%d idle=%d pinned=%d%s\n", vm,
			i, i, vcpus[i].tid, vcpus[i].fd, i >= options.vcpus,
			options.pin ? (int)(i % sysconf (_SC_NPROCESSORS_ONLN)) : -1, registers);
	}
	for (unsigned i = 0; i < n; i++)
		while (!atomic_load (&vcpus[i].exits))
			usleep (1000);
}

/* The process of one VM; writes a byte to RUNNING_FD when all its vCPUs have run. */
static _Noreturn void
run_vm (unsigned vm, int running_fd)
{
	size_t code_size = guest_code_end - guest_code;
	char name[24];
	uint64_t *words;
	char *code;
	int kvm_fd, vm_fd;

	snprintf (name, sizeof (name), "nested%u", vm);
	prctl (PR_SET_NAME, name);
	kvm_fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm_fd < 0)
		fail ("/dev/kvm");
	vm_fd = must_ioctl (kvm_fd, KVM_CREATE_VM, 0, "create VM");
	printf ("witness vm=%u comm=%s pid=%d kvm_fd=%d vm_fd=%d nr_vcpus=%u pc_lo=0x%x "
		"pc_hi=0x%lx "
		"spin_lo=0x%lx spin_hi=0x%lx counters=0x%x pattern=0x%x\n",
		vm, name, getpid(), kvm_fd, vm_fd, options.vcpus + options.idle, GPA_CODE,
		GPA_CODE + (unsigned long)code_size,
		GPA_CODE + (unsigned long)(guest_spin - guest_code),
		GPA_CODE + (unsigned long)(guest_spin_end - guest_code), GPA_COUNTERS, GPA_PATTERN);
	code = add_slot (vm_fd, vm, 0, GPA_CODE, SIZE_CODE, 0);
	memcpy (code, guest_code, code_size);
	words = add_slot (vm_fd, vm, 1, GPA_READONLY, SIZE_READONLY, KVM_MEM_READONLY);
	for (size_t i = 0; i < SIZE_READONLY / sizeof (*words); i++)
		words[i] = READONLY_WORD + i;
	add_slot (vm_fd, vm, 2, GPA_DIRTY, SIZE_DIRTY, KVM_MEM_LOG_DIRTY_PAGES);
	add_slot (vm_fd, vm, 7, GPA_HIGH, SIZE_HIGH, 0);
	arch_vm_init (vm_fd, code);
	make_vcpus (vm_fd, vm, must_ioctl (kvm_fd, KVM_GET_VCPU_MMAP_SIZE, NULL, "vcpu size"));
	fflush (stdout);
	if (write (running_fd, "", 1) != 1)
		fail ("write");
	close (running_fd);
	for (;;)
		pause();
}

/* Of one thread. */
struct calls {
	unsigned long done, wrong, index;
};

static struct calls calls[VCPUS_MAX];

static void *
run_calls (void *arg)
{
	struct calls *mine = arg;

	pin_to (mine->index);
	for (long value = 1;; value = value % 0x40000000 + 1) {
		if (syscall (options.call, value) != value)
			__atomic_add_fetch (&mine->wrong, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch (&mine->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The word at an address of the kernel's, as the kernel itself reads it. */
static uint32_t
read_kernel (int fd, unsigned long addr)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;
	uint32_t word;

	if (pread (fd, &header, sizeof (header), 0) != sizeof (header))
		fail ("/proc/kcore");
	for (unsigned i = 0; i < header.e_phnum; i++)
		if (pread (fd, &part, sizeof (part), header.e_phoff + i * sizeof (part)) ==
				sizeof (part) &&
			part.p_type == PT_LOAD && addr - part.p_vaddr < part.p_memsz &&
			pread (fd, &word, sizeof (word), part.p_offset + addr - part.p_vaddr) ==
				sizeof (word))
			return word;
	fail ("address in /proc/kcore");
}

static void *
run_reads (void *arg)
{
	struct calls *mine = arg;
	int fd = open ("/proc/kcore", O_RDONLY | O_CLOEXEC);
	uint32_t word = read_kernel (fd, options.read);

	for (;;) {
		usleep (100000 + random() % 200000);
		if (read_kernel (fd, options.read) != word)
			__atomic_add_fetch (&mine->wrong, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch (&mine->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * A system call that is to return its argument, made for ever by a thread on each CPU. Who replaces
 * it sees by the counters whether it always did. Behind them are those of a thread that now and
 * then reads a word of the kernel's that is to stay the same.
 */
static _Noreturn void
make_calls (void)
{
	long cpus = sysconf (_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	if (cpus >= VCPUS_MAX)
		cpus = VCPUS_MAX - 1;
	printf ("witness calls=%p pid=%d threads=%ld size=%zu\n", (void *)calls, getpid(), cpus,
		sizeof (calls[0]));
	fflush (stdout);
	for (long i = 0; i < cpus; i++) {
		calls[i].index = i;
		if (pthread_create (&thread, NULL, run_calls, &calls[i]))
			fail ("thread");
	}
	if (options.read && pthread_create (&thread, NULL, run_reads, &calls[cpus]))
		fail ("thread");
	for (;;)
		pause();
}

static unsigned
number (const char *text, unsigned max)
{
	char *end;
	unsigned long value = strtoul (text, &end, 10);

	if (!*text || *end || value > max) {
		fprintf (stderr, "nested: not a number up to %u: %s\n", max, text);
		exit (2);
	}
	return value;
}

int
main (int argc, char **argv)
{
	static const struct option names[] = {
		{"vms", required_argument, NULL, 'm'},
		{"vcpus", required_argument, NULL, 'c'},
		{"idle", required_argument, NULL, 'i'},
		{"sleep-us", required_argument, NULL, 's'},
		{"pin", required_argument, NULL, 'p'},
		{"call", required_argument, NULL, 'n'},
		{"read", required_argument, NULL, 'r'},
		{0},
	};
	int option;

	setvbuf (stdout, NULL, _IOFBF, 1 << 16);
	while ((option = getopt_long (argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'm':
			options.vms = number (optarg, 64);
			break;
		case 'c':
			options.vcpus = number (optarg, VCPUS_MAX / 2);
			break;
		case 'i':
			options.idle = number (optarg, VCPUS_MAX / 2);
			break;
		case 's':
			options.sleep_us = number (optarg, 1000000);
			break;
		case 'p':
			options.pin = number (optarg, 1);
			break;
		case 'n':
			options.call = number (optarg, 1000);
			break;
		case 'r':
			options.read = strtoul (optarg, NULL, 16);
			break;
		default:
			return 2;
		}
	}
	for (unsigned vm = 0; vm < options.vms; vm++) {
		int running[2];
		char byte;

		if (pipe (running))
			fail ("pipe");
		switch (fork()) {
		case -1:
			fail ("fork");
		case 0:
			close (running[0]);
			run_vm (vm, running[1]);
		}
		close (running[1]);
		if (read (running[0], &byte, 1) != 1)
			return 1;
		close (running[0]);
	}
	if (options.call)
		make_calls();
	return 0;
}
