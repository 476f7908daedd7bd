/* device.c - opens a device by name and passes calls on to its side. */
#include "kernels/backend.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "kernels/cpu/cpu_private.h"
#include "kernels/cuda_plugin.h"

/* ------------------------------------------------------------------ names */

typedef enum side {
    SIDE_AUTO,
    SIDE_CPU,
    SIDE_CUDA,
    SIDE_UNKNOWN,
} side;

static bool is_number(const char *text)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && length <= 4 && text[length] == '\0';
}

static side side_of(const char *name)
{
    if (strcmp(name, "auto") == 0)
        return SIDE_AUTO;
    if (strcmp(name, "cpu") == 0)
        return SIDE_CPU;
    if (strcmp(name, "cuda") == 0 || (strncmp(name, "cuda:", 5) == 0 && is_number(name + 5)))
        return SIDE_CUDA;
    return SIDE_UNKNOWN;
}

/* Where `name` stands among texts; -1 when it does not. */
static int find_text(const char *name, const char *const *texts, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(name, texts[i]) == 0)
            return i;
    return -1;
}

#define TEXT(name, text) text,

rf_code rf_construction_parse(rf_construction *out, const char *name, rf_error *err)
{
    static const char *const texts[] = {RF_CONSTRUCTION_TABLE(TEXT)};
    const int at = find_text(name, texts, RF_CONSTRUCTION_COUNT);
    if (at < 0)
        return rf_fail(err, RF_USAGE,
                       "there is no construction \"%.40s\"; it must be auto, plain, graph or fused", name);
    *out = (rf_construction)at;
    return RF_OK;
}

rf_code rf_precision_parse(rf_precision *out, const char *name, rf_error *err)
{
    static const char *const texts[] = {RF_PRECISION_TABLE(TEXT)};
    const int at = find_text(name, texts, RF_PRECISION_COUNT);
    if (at < 0)
        return rf_fail(err, RF_USAGE, "there is no precision \"%.40s\"; it must be 3xtf32, tf32 or bf16",
                       name);
    *out = (rf_precision)at;
    return RF_OK;
}

/* ------------------------------------------------------------------ the CUDA side */

enum { PATH_BYTES = 4096 };

/* The program's folder, with room for a name behind it; empty when it cannot be told. */
static size_t program_folder(char path[PATH_BYTES])
{
    const ssize_t length = readlink("/proc/self/exe", path, PATH_BYTES / 2);
    size_t end = length > 0 ? (size_t)length : 0;
    while (end > 0 && path[end - 1] != '/')
        end--;
    path[end] = '\0';
    return end;
}

static rf_code library_path(char path[PATH_BYTES], rf_error *err)
{
    static const char *const places[] = {RF_CUDA_LIBRARY_NAME, "../lib/" RF_CUDA_LIBRARY_NAME};
    const char *given = getenv("ROWFORGE_CUDA_LIBRARY");
    if (given && strcmp(given, "none") == 0)
        return rf_fail(err, RF_DEVICE, "ROWFORGE_CUDA_LIBRARY is none");
    if (given && *given) {
        snprintf(path, PATH_BYTES, "%s", given);
        return RF_OK;
    }
    const size_t folder = program_folder(path);
    for (size_t i = 0; folder > 0 && i < sizeof places / sizeof places[0]; i++) {
        snprintf(path + folder, PATH_BYTES - folder, "%s", places[i]);
        if (access(path, R_OK) == 0)
            return RF_OK;
    }
    return rf_fail(err, RF_DEVICE,
                   "this build of rowforge has no CUDA side (" RF_CUDA_LIBRARY_NAME " is not here)");
}

/* Whether everything that the file's own tables promise lies inside of its `size` bytes. */
static bool holds_its_tables(int file, uint64_t size)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    if (pread(file, &head, sizeof head, 0) != sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return true; /* no library at all: dlopen says so */
    bool whole = head.e_phentsize == sizeof part && (uint64_t)head.e_shnum * head.e_shentsize <= size &&
                 (uint64_t)head.e_shoff <= size - (uint64_t)head.e_shnum * head.e_shentsize;
    for (int i = 0; whole && i < head.e_phnum; i++)
        whole = pread(file, &part, sizeof part, (off_t)(head.e_phoff + (uint64_t)i * sizeof part)) ==
                    sizeof part &&
                (uint64_t)part.p_filesz <= size && (uint64_t)part.p_offset <= size - (uint64_t)part.p_filesz;
    return whole;
}

/* dlopen maps a library without asking for its length: what touches a page behind the end of a file that was copied halfway ends
 * the process. */
static bool is_whole(const char *path)
{
    struct stat status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const bool whole = file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode) ||
                       holds_its_tables(file, (uint64_t)status.st_size);
    if (file >= 0)
        close(file);
    return whole;
}

/* dlerror quotes names from the file: of a damaged one they may be anything. */
static void keep_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static bool same_contract(const rf_cuda_contract *theirs)
{
    const rf_cuda_contract ours = {RF_CUDA_CONTRACT, sizeof(rf_ops), sizeof(rf_device),
                                   sizeof(rf_device_class)};
    return memcmp(&ours, theirs, sizeof ours) == 0;
}

/* Never closed: CUDA's own libraries do not survive it. */
static rf_code find_plugin(const rf_cuda_plugin **out, rf_error *err)
{
    char path[PATH_BYTES];
    rf_cuda_plugin_get_fn get = NULL;
    *out = NULL;
    const rf_code found = library_path(path, err);
    if (found != RF_OK)
        return found;
    if (!is_whole(path))
        return rf_fail(err, RF_DEVICE, "the CUDA side at %.180s is damaged: a part of the file is missing",
                       path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        char reason[200];
        snprintf(reason, sizeof reason, "%s", dlerror());
        keep_printable(reason);
        return rf_fail(err, RF_DEVICE, "the CUDA side cannot be loaded: %s", reason);
    }
    void *symbol = dlsym(library, RF_CUDA_PLUGIN_SYMBOL);
    memcpy(&get, &symbol, sizeof get);
    const rf_cuda_plugin *plugin = get ? get() : NULL;
    if (!plugin || !same_contract(&plugin->contract))
        return rf_fail(err, RF_DEVICE, "the CUDA side at %.180s is of another build of rowforge", path);
    *out = plugin;
    return RF_OK;
}

static rf_code count_gpus(const rf_cuda_plugin **plugin, int *n, rf_error *err)
{
    rf_code rc = RF_OK;
    *n = 0;
    RF_TRY(find_plugin(plugin, err));
    RF_TRY((*plugin)->count(n, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ open, close */

static rf_code open_cpu(rf_device **out, const rf_device_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = NULL;
    RF_TRY(RF_NEW_ARRAY(&device, 1, "the device", err));
    RF_TRY(rfi_cpu_open(device, options->n_threads, err));
    *out = device;
    device = NULL;
out:
    rf_device_close(device);
    return rc;
}

static rf_code open_gpu(rf_device **out, const rf_cuda_plugin *plugin, int ordinal,
                        const rf_device_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = NULL;
    RF_TRY(RF_NEW_ARRAY(&device, 1, "the device", err));
    RF_TRY(plugin->open(device, ordinal, options, err));
    RF_TRY(rf_pool_create(&device->pool, options->n_threads, err));
    *out = device;
    device = NULL;
out:
    rf_device_close(device);
    return rc;
}

/* The first GPU that opens; the last reason when none does. */
static rf_code open_any_gpu(rf_device **out, const rf_device_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_cuda_plugin *plugin;
    int n;
    RF_TRY(count_gpus(&plugin, &n, err));
    for (int i = 0; i < n; i++)
        if ((rc = open_gpu(out, plugin, i, options, err)) == RF_OK)
            break;
out:
    return rc;
}

static rf_code open_cuda(rf_device **out, const char *name, const rf_device_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_cuda_plugin *plugin;
    rf_error reason = {0};
    int n;
    if (name[4] == '\0') {
        RF_TRY(open_any_gpu(out, options, &reason));
    } else {
        const int ordinal = atoi(name + 5);
        RF_TRY(count_gpus(&plugin, &n, &reason));
        if (ordinal >= n)
            rc = rf_fail(&reason, RF_DEVICE, "this machine has %d GPU%s", n, n == 1 ? "" : "s");
        else
            rc = open_gpu(out, plugin, ordinal, options, &reason);
    }
out:
    if (rc != RF_OK && err) {
        *err = reason;
        if (rc == RF_DEVICE)
            rf_fail(err, rc, "the device %.20s cannot be used: %.160s; take cpu or auto", name,
                    reason.message);
    }
    return rc;
}

rf_code rf_device_open_with(rf_device **out, const char *name, const rf_device_options *options,
                            rf_error *err)
{
    *out = NULL;
    switch (side_of(name)) {
    case SIDE_AUTO:
        if (open_any_gpu(out, options, NULL) == RF_OK)
            return RF_OK;
        return open_cpu(out, options, err);
    case SIDE_CPU:
        return open_cpu(out, options, err);
    case SIDE_CUDA:
        return open_cuda(out, name, options, err);
    case SIDE_UNKNOWN:
        break;
    }
    return rf_fail(err, RF_USAGE, "there is no device \"%.40s\"; it must be auto, cpu, cuda or cuda:N", name);
}

rf_code rf_device_open(rf_device **out, const char *name, int n_threads, rf_error *err)
{
    return rf_device_open_with(out, name, &(rf_device_options){.n_threads = n_threads}, err);
}

/* The CPU's side frees its team itself. */
void rf_device_close(rf_device *device)
{
    if (!device)
        return;
    const bool is_cpu = device->type && strcmp(device->type->kind, "cpu") == 0;
    if (device->type)
        device->type->close(device);
    if (!is_cpu)
        rf_pool_free(device->pool);
    rf_free(device);
}

/* ------------------------------------------------------------------ memory */

rf_code rf_device_alloc(rf_device *device, void **out, size_t size_bytes, rf_error *err)
{
    return device->type->alloc(device, out, size_bytes, err);
}

void rf_device_free(rf_device *device, void *pointer)
{
    device->type->free(device, pointer);
}

rf_code rf_device_write(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    return device->type->write(device, to, from, size_bytes, err);
}

rf_code rf_device_read(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    return device->type->read(device, to, from, size_bytes, err);
}

rf_code rf_device_sync(rf_device *device, rf_error *err)
{
    return device->type->sync(device, err);
}

/* A side without these works at once, and its memory is the host's. */
void rf_device_fetch(rf_device *device, void *to, const void *from, size_t size_bytes)
{
    if (device->type->fetch)
        device->type->fetch(device, to, from, size_bytes);
    else if (size_bytes > 0)
        memcpy(to, from, size_bytes);
}

void rf_device_mark(rf_device *device, int mark)
{
    if (device->type->mark)
        device->type->mark(device, mark);
}

rf_code rf_device_await(rf_device *device, int mark, rf_error *err)
{
    return device->type->await ? device->type->await(device, mark, err) : rf_device_sync(device, err);
}

bool rf_device_runs_beside(const rf_device *device)
{
    return device->type->mark != NULL;
}

rf_code rf_device_alloc_shared(rf_device *device, void **out, size_t size_bytes, rf_error *err)
{
    if (device->type->alloc_shared)
        return device->type->alloc_shared(device, out, size_bytes, err);
    return device->type->alloc(device, out, size_bytes, err);
}

void rf_device_free_shared(rf_device *device, void *pointer)
{
    if (device->type->free_shared)
        device->type->free_shared(device, pointer);
    else
        device->type->free(device, pointer);
}

/* ------------------------------------------------------------------ steps, trials */

void rf_device_repeat(rf_device *device, const void *key, int64_t n, rf_step_fn step, void *arg)
{
    if (device->type->repeat) {
        device->type->repeat(device, key, n, step, arg);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        step(arg);
}

void rf_device_forget(rf_device *device, const void *key)
{
    if (device->type->forget)
        device->type->forget(device, key);
}

rf_code rf_device_trials(rf_device *device, const rf_trials *trials, rf_error *err)
{
    if (device->type->trials)
        return device->type->trials(device, trials, err);
    if (trials && trials->n > 1)
        return rf_fail(err, RF_DEVICE, "the device %s trains one trial at a time", device->name);
    return RF_OK;
}

/* ------------------------------------------------------------------ list */

/* Our own words and a GPU's name: what JSON would have to escape is left out. */
static void put_plain(rf_buf *out, const char *text)
{
    for (; *text; text++)
        if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
            rf_buf_printf(out, "%c", *text);
}

static void list_one(rf_buf *out, bool json, const char *name, const char *summary, const char *reason)
{
    if (!json) {
        rf_buf_printf(out, "%-6s  %s%s\n", name,
                      summary ? summary : "cannot be used: ", summary ? "" : reason);
        return;
    }
    const char *between = out->size_bytes > 0 && out->data[out->size_bytes - 1] == '}' ? "," : "";
    rf_buf_printf(out, "%s{\"name\":\"%s\",\"usable\":%s,\"summary\":\"", between, name,
                  summary ? "true" : "false");
    put_plain(out, summary ? summary : "");
    rf_buf_printf(out, "\",\"reason\":\"");
    put_plain(out, summary ? "" : reason);
    rf_buf_printf(out, "\"}");
}

static void list_cpu(rf_buf *out, bool json)
{
    rf_error err = {0};
    rf_device *cpu = NULL;
    const bool usable = rf_device_open(&cpu, "cpu", 0, &err) == RF_OK;
    list_one(out, json, "cpu", usable ? cpu->summary : NULL, err.message);
    rf_device_close(cpu);
}

static void list_gpus(rf_buf *out, bool json)
{
    rf_error err = {0};
    const rf_cuda_plugin *plugin;
    int n;
    if (count_gpus(&plugin, &n, &err) != RF_OK)
        list_one(out, json, "cuda", NULL, err.message);
    for (int i = 0; i < n; i++) {
        char name[24], summary[128];
        snprintf(name, sizeof name, "cuda:%d", i);
        const bool usable = plugin->describe(i, summary, sizeof summary, &err) == RF_OK;
        list_one(out, json, name, usable ? summary : NULL, err.message);
    }
}

void rf_device_list(rf_buf *out, bool json)
{
    if (json)
        rf_buf_printf(out, "[");
    list_cpu(out, json);
    list_gpus(out, json);
    if (json)
        rf_buf_printf(out, "]\n");
}
