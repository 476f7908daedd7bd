/* emu_fibers.cpp - runs the threads of a launch as fibers; see emu_cuda.h.
 *
 * A fiber takes a thread, runs it to its end and takes the next, until a thread has to wait: then another fiber goes on.
 * A kernel without barriers so needs one fiber, a kernel with them as many as a block has threads.
 *
 *     launch --switch--> fiber: thread 0 ... waits at a barrier
 *            --switch--> fiber: thread 1 ... the last to arrive: all that wait are ready again
 *            --switch--> launch: all threads came to their end
 *
 * Those that are ready go on in the order in which they became so, before threads that have not begun.
 */
#include "emu_cuda.h"
#include "emu_internal.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

emu_place emu_here;

namespace
{

constexpr size_t STACK_BYTES = 256 * 1024;
constexpr unsigned WARP = 32, EXCHANGE_BYTES = 64;

struct fiber;

struct warp {
    unsigned waiting = 0;  /* lanes at the barrier                        */
    unsigned expected = 0; /* the mask that the first of them gave        */
    unsigned turn = 0;     /* exchanges so far: two buffers take turns    */
    std::vector<fiber *> waiters;
    void *given[WARP]; /* what lanes brought to emu_warp_once         */
    alignas(16) unsigned char slots[2][WARP][EXCHANGE_BYTES];
    bool votes[2][WARP];
};

struct block {
    dim3 index;
    unsigned waiting = 0;
    std::vector<fiber *> waiters;
    std::vector<warp> warps;
    std::map<int, std::vector<unsigned char>> shared; /* by RF_SHARED's place in the source */
    std::unique_ptr<unsigned char[]> dynamic;
};

struct async_copy {
    void *to;
    const void *from;
    int size_bytes, given_bytes, group;
};

struct thread {
    emu_place place;
    std::vector<async_copy> copies; /* under way */
    int groups = 0;                 /* committed so far */
    block *home = nullptr;
};

struct fiber {
#if defined(__x86_64__)
    void *stack_pointer = nullptr;
#else
    ucontext_t context;
#endif
    const void *stack = nullptr;
    thread *runs = nullptr;
    void *fake_stack = nullptr;
    size_t stack_bytes = 0; /* of the launch's own thread only ASan knows it */
    fiber *made_before = nullptr;
};

/* One launch, or one block of it at a time. */
struct schedule {
    const std::function<void()> *body = nullptr;
    std::vector<thread> threads;
    std::vector<unsigned> order;
    size_t started = 0;
    std::vector<fiber *> ready, at_grid;
    size_t next_ready = 0;
    size_t at_block = 0, at_warp = 0; /* threads that wait, for the message when nobody can go on */
};

schedule now;
fiber launch; /* whoever runs the grid */
fiber *current = &launch, *left;
std::vector<fiber *> idle;
fiber *last_made; /* fibers live to the end of the program: this is where leak checkers find them */
int thread_order = RF_EMU_FORWARD;
uint64_t shuffle_state = 1;
size_t dynamic_bytes;

[[noreturn]] void stop(const char *what)
{
    fprintf(stderr, "emulated GPU: %s in block (%u, %u, %u)\n", what, emu_here.block.x, emu_here.block.y,
            emu_here.block.z);
    abort();
}

/* ------------------------------------------------------------------ switching stacks */

#if defined(__x86_64__)
/* What a call must keep: six registers. Everything else the compiler saves around this call. */
__attribute__((naked, noinline)) void swap_stacks(void **, void *)
{
    __asm__("pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
            "movq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
            "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret");
}
#endif

void fiber_main();

#if defined(__SANITIZE_ADDRESS__)
void leave(fiber *from, const fiber *to)
{
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_bytes);
}

void arrive(const fiber *at)
{
    __sanitizer_finish_switch_fiber(at->fake_stack, &left->stack, &left->stack_bytes);
}
#else
void leave(const fiber *, const fiber *)
{
}

void arrive(const fiber *)
{
}
#endif

/* Back when somebody switches to the fiber that runs now. */
void switch_to(fiber *to)
{
    fiber *self = current;
    leave(self, to);
    left = self;
    current = to;
#if defined(__x86_64__)
    swap_stacks(&self->stack_pointer, to->stack_pointer);
#else
    swapcontext(&self->context, &to->context);
#endif
    arrive(self);
}

fiber *make_fiber()
{
    fiber *f = new fiber;
    f->made_before = last_made;
    last_made = f;
    void *stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        stop("no memory for the stack of a thread");
    f->stack = stack;
    f->stack_bytes = STACK_BYTES;
#if defined(__x86_64__)
    void **top = (void **)((char *)stack + STACK_BYTES);
    *--top = nullptr; /* where fiber_main would return to: it does not, but its stack must be aligned */
    *--top = (void *)fiber_main;
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    f->stack_pointer = top;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = nullptr;
    makecontext(&f->context, fiber_main, 0);
#endif
    return f;
}

/* ------------------------------------------------------------------ threads */

[[noreturn]] void stuck()
{
    char text[160];
    snprintf(text, sizeof text,
             "%zu of %zu threads wait at __syncthreads, %zu in their warp, %zu for the grid: not all came",
             now.at_block, now.threads.size(), now.at_warp, now.at_grid.size());
    stop(text);
}

bool take_thread(fiber *f)
{
    if (now.started == now.threads.size())
        return false;
    f->runs = &now.threads[now.order[now.started++]];
    return true;
}

/* Who is ready, or begins a thread; NULL: nobody. */
fiber *next_fiber()
{
    if (now.next_ready < now.ready.size()) {
        fiber *f = now.ready[now.next_ready++];
        if (now.next_ready == now.ready.size()) {
            now.ready.clear();
            now.next_ready = 0;
        }
        return f;
    }
    if (now.started == now.threads.size())
        return nullptr;
    if (idle.empty())
        idle.push_back(make_fiber());
    fiber *f = idle.back();
    idle.pop_back();
    take_thread(f);
    return f;
}

void fiber_main()
{
    fiber *self = current;
    arrive(self);
    for (;;) {
        do {
            emu_here = self->runs->place;
            (*now.body)();
        } while (take_thread(self));
        fiber *next = next_fiber();
        idle.push_back(self);
        switch_to(next ? next : &launch);
    }
}

/* Waits in a list: back when somebody made it ready. */
void wait_in(std::vector<fiber *> &list)
{
    const fiber *self = current;
    list.push_back(current);
    fiber *next = next_fiber();
    if (!next)
        stuck();
    switch_to(next);
    emu_here = self->runs->place;
}

void wake(std::vector<fiber *> &list)
{
    now.ready.insert(now.ready.end(), list.begin(), list.end());
    list.clear();
}

/* ------------------------------------------------------------------ blocks */

void shuffle(std::vector<unsigned> &order)
{
    for (size_t i = 0; i < order.size(); i++)
        order[i] = thread_order == RF_EMU_BACKWARD ? (unsigned)(order.size() - 1 - i) : (unsigned)i;
    for (size_t i = order.size(); thread_order == RF_EMU_SHUFFLED && i > 1; i--) {
        shuffle_state = shuffle_state * 6364136223846793005u + 1442695040888963407u;
        std::swap(order[i - 1], order[(shuffle_state >> 33) % i]);
    }
}

void add_threads(block *b, dim3 grid, dim3 size)
{
    const unsigned n = size.x * size.y * size.z;
    b->warps.resize((n + WARP - 1) / WARP);
    for (unsigned i = 0; i < n; i++) {
        thread t;
        t.place = {dim3(i % size.x, i / size.x % size.y, i / (size.x * size.y)),
                   b->index,
                   size,
                   grid,
                   i % WARP,
                   i / WARP};
        t.home = b;
        now.threads.push_back(t);
    }
    b->dynamic.reset(new unsigned char[dynamic_bytes + 16]);
    memset(b->dynamic.get(), 0xFF, dynamic_bytes + 16);
}

void run_blocks(std::vector<std::unique_ptr<block>> &blocks, dim3 grid, dim3 size,
                const std::function<void()> &body)
{
    now = schedule();
    now.body = &body;
    for (auto &b : blocks)
        add_threads(b.get(), grid, size);
    now.order.resize(now.threads.size());
    shuffle(now.order);
    if (fiber *first = next_fiber())
        switch_to(first);
    if (now.at_block + now.at_warp + now.at_grid.size() > 0)
        stuck();
}

block *own_block()
{
    return current->runs->home;
}

warp *own_warp()
{
    return &own_block()->warps[emu_here.warp];
}

} // namespace

/* ------------------------------------------------------------------ what kernels call */

void emu_sync_block()
{
    block *b = own_block();
    if (++b->waiting < (unsigned)(emu_here.block_size.x * emu_here.block_size.y * emu_here.block_size.z)) {
        now.at_block++;
        wait_in(b->waiters);
        return;
    }
    now.at_block -= b->waiters.size();
    b->waiting = 0;
    wake(b->waiters);
}

/* True for the lane that came last, which the others wait for. */
static bool arrive_in_warp(warp *w, unsigned mask)
{
    if (!(mask >> emu_here.lane & 1))
        stop("a lane is not in the mask that it gave");
    if (w->waiting && w->expected != mask)
        stop("lanes of a warp wait with different masks");
    w->expected = mask;
    w->waiting |= 1u << emu_here.lane;
    if (w->waiting == mask)
        return true;
    now.at_warp++;
    wait_in(w->waiters);
    return false;
}

static void leave_warp(warp *w)
{
    now.at_warp -= w->waiters.size();
    w->waiting = 0;
    w->turn++;
    wake(w->waiters);
}

void emu_sync_warp(unsigned mask)
{
    warp *w = own_warp();
    if (arrive_in_warp(w, mask))
        leave_warp(w);
}

void emu_warp_once(void *mine, void (*work)(void *const all[32]))
{
    warp *w = own_warp();
    w->given[emu_here.lane] = mine;
    if (!arrive_in_warp(w, 0xFFFFFFFFu))
        return;
    work(w->given);
    leave_warp(w);
}

void emu_sync_grid()
{
    if (now.at_grid.size() + 1 < now.threads.size())
        wait_in(now.at_grid);
    else
        wake(now.at_grid);
}

/* Written before the barrier moves the turn on, read after it. */
void *emu_exchange_mine(size_t size_bytes)
{
    if (size_bytes > EXCHANGE_BYTES)
        stop("an exchange among lanes is too large");
    warp *w = own_warp();
    return w->slots[w->turn & 1][emu_here.lane];
}

const void *emu_exchange_of(unsigned lane)
{
    const warp *w = own_warp();
    return w->slots[(w->turn - 1) & 1][lane];
}

unsigned emu_ballot(unsigned mask, bool predicate)
{
    warp *w = own_warp();
    w->votes[w->turn & 1][emu_here.lane] = predicate;
    emu_sync_warp(mask);
    unsigned result = 0;
    for (unsigned lane = 0; lane < WARP; lane++)
        result |= (mask >> lane & 1) && w->votes[(w->turn - 1) & 1][lane] ? 1u << lane : 0;
    return result;
}

void *emu_shared(int site, size_t size_bytes, size_t)
{
    std::vector<unsigned char> &piece = own_block()->shared[site];
    if (piece.empty())
        piece.assign(size_bytes, 0xFF);
    return piece.data();
}

void *emu_shared_dynamic()
{
    const uintptr_t at = (uintptr_t)own_block()->dynamic.get();
    return (void *)((at + 15) & ~(uintptr_t)15);
}

void emu_async_copy(void *to, const void *from, int size_bytes, int given_bytes)
{
    thread *t = current->runs;
    if ((uintptr_t)to % (size_t)size_bytes || (given_bytes && (uintptr_t)from % (size_t)size_bytes))
        stop("an asynchronous copy that is not aligned");
    t->copies.push_back({to, from, size_bytes, given_bytes, t->groups});
}

void emu_async_commit()
{
    current->runs->groups++;
}

void emu_async_wait(int pending_groups)
{
    thread *t = current->runs;
    size_t kept = 0;
    for (const async_copy &copy : t->copies) {
        if (copy.group >= t->groups - pending_groups) {
            t->copies[kept++] = copy;
            continue;
        }
        memcpy(copy.to, copy.from, (size_t)copy.given_bytes);
        memset((char *)copy.to + copy.given_bytes, 0, (size_t)(copy.size_bytes - copy.given_bytes));
    }
    t->copies.resize(kept);
}

/* ------------------------------------------------------------------ a launch */

void emu_run_grid(dim3 grid, dim3 size, size_t shared_bytes, bool cooperative,
                  const std::function<void()> &body)
{
    const unsigned n = grid.x * grid.y * grid.z, n_threads = size.x * size.y * size.z;
    if (n == 0 || n_threads == 0 || n_threads > 1024 || grid.y > 65535 || grid.z > 65535)
        stop("a launch of an impossible shape");
    std::vector<unsigned> order(n);
    shuffle(order);
    std::vector<std::unique_ptr<block>> blocks;
    dynamic_bytes = shared_bytes;
    for (unsigned i = 0; i < n; i++) {
        std::unique_ptr<block> b(new block);
        b->index = dim3(order[i] % grid.x, order[i] / grid.x % grid.y, order[i] / (grid.x * grid.y));
        blocks.push_back(std::move(b));
        if (!cooperative) {
            run_blocks(blocks, grid, size, body);
            blocks.clear();
        }
    }
    if (cooperative)
        run_blocks(blocks, grid, size, body);
}

void rf_emu_order(int order)
{
    thread_order = order;
}
