/* emu_internal.h - what the emulation's own files share. */
#ifndef RF_EMU_INTERNAL_H
#define RF_EMU_INTERNAL_H

#include "emu_control.h"
#include "emu_cuda.h"

/* Runs every thread of a grid, now. */
void emu_run_grid(dim3 grid, dim3 size, size_t shared_bytes, bool cooperative,
                  const std::function<void()> &body);

/* Counts a call of a library's stand-in and puts its work on the stream. */
void emu_library_call(cudaStream_t stream, std::function<void()> work);

#endif
