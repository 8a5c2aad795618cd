/* A plug-in for qemu: how many instructions of the guest were carried out so far, said on standard error whenever the
   guest gives way (sched_yield), which is how the tests mark where what they measure begins and ends.
   The few declarations it needs of qemu's interface are its own, so that no header has to be installed. */

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct qemu_plugin_tb;

enum { SCHED_YIELD = 124 }; /* on aarch64 */

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*entered)(unsigned int, void *), int, void *);
void qemu_plugin_register_vcpu_syscall_cb(uint64_t id, void (*called)(uint64_t, unsigned int, int64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

int qemu_plugin_version = VERSION;

static uint64_t count;

static void entered(unsigned int cpu, void *n) {
    (void)cpu;
    __atomic_fetch_add(&count, (uintptr_t)n, __ATOMIC_RELAXED);
}

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, entered, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void called(uint64_t id, unsigned int cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
    uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == SCHED_YIELD)
        fprintf(stderr, "counted %" PRIu64 "\n", count);
}

int qemu_plugin_install(uint64_t id, const void *info, int n_arguments, char **arguments) {
    (void)info;
    (void)n_arguments;
    (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
