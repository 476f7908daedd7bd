/* cuda_library.h - opens NVIDIA's libraries where they may be. Header only: its two users are cuda_blas.cu and cuda_dnn.cu.
 *
 * In this order: the system's loader, ROWFORGE_NVIDIA (a folder), nvidia/ beside the plugin (script/bootstrap --cuda), the active virtual
 * environment, /usr/local/cuda, and the folder whose headers the plugin was built with.
 */
#ifndef RF_CUDA_LIBRARY_H
#define RF_CUDA_LIBRARY_H

#include <dlfcn.h>
#include <glob.h>

#include "kernels/cuda/cuda_private.h"

enum { RFI_PATH_BYTES = 1024 };

/* The plugin's own folder, with its last slash; empty when it cannot be told. */
static inline void rfi_plugin_folder(char out[RFI_PATH_BYTES])
{
    Dl_info info;
    out[0] = '\0';
    if (dladdr(reinterpret_cast<const void *>(&rfi_cuda_ops), &info) && info.dli_fname) {
        snprintf(out, RFI_PATH_BYTES, "%s", info.dli_fname);
        char *slash = strrchr(out, '/');
        out[slash ? slash + 1 - out : 0] = '\0';
    }
}

/* The first file that matches folder/pattern/name and can be opened. */
static inline void *rfi_open_in(const char *folder, const char *pattern, const char *name)
{
    char path[RFI_PATH_BYTES];
    glob_t found;
    void *library = nullptr;
    if (!folder || !*folder ||
        snprintf(path, sizeof path, "%s/%s/%s", folder, pattern, name) >= (int)sizeof path)
        return nullptr;
    if (glob(path, 0, nullptr, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !library; i++)
            library = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_GLOBAL);
        globfree(&found);
    }
    return library;
}

static inline void *rfi_open_library(const char *name, const char *built_with)
{
    char own[RFI_PATH_BYTES];
    void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
    rfi_plugin_folder(own);
    if (!library)
        library = rfi_open_in(getenv("ROWFORGE_NVIDIA"), "*/lib", name);
    if (!library)
        library = rfi_open_in(own, "nvidia/nvidia/*/lib", name);
    if (!library)
        library = rfi_open_in(getenv("VIRTUAL_ENV"), "lib/python3*/site-packages/nvidia/*/lib", name);
    if (!library)
        library = rfi_open_in("/usr/local/cuda", "lib64", name);
    if (!library)
        library = rfi_open_in(built_with, "../lib", name);
    return library;
}

/* Finds a function and stores its address in *out, a pointer to a function. */
static inline bool rfi_find_symbol(void *library, const char *name, void *out)
{
    void *symbol = dlsym(library, name);
    memcpy(out, &symbol, sizeof symbol);
    return symbol != nullptr;
}

#endif
