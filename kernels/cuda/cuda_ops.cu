/* cuda_ops.cu - the table of operations. */
#include "kernels/cuda/cuda_private.h"

#define RFI_OP_ENTRY(name, args) .name = rfi_cuda_##name,
const rf_ops rfi_cuda_ops = {RF_OPS_TABLE(RFI_OP_ENTRY).step_tick = rfi_cuda_step_tick,
                             .adam_tick = rfi_cuda_adam_tick, .updates_begin = rfi_cuda_updates_begin,
                             .updates_end = rfi_cuda_updates_end};
