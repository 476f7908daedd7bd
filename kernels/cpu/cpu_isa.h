/* cpu_isa.h - the CPU's operations, compiled once for each instruction set.
 *
 * The files that include this one are compiled three times: RFI_ISA is avx512, avx2 or baseline, and RFI_FN(name) puts it
 * behind every name that another file sees. The device picks one table when it is opened. All three give the same bits:
 * fused multiply-adds are written out, contraction is off, and sums over lanes have one order (cpu_lanes.h).
 */
#ifndef RF_CPU_ISA_H
#define RF_CPU_ISA_H

#include "kernels/cpu/cpu_private.h"

#define RFI_PASTE2(a, b) a##_##b
#define RFI_PASTE(a, b)  RFI_PASTE2(a, b)
#define RFI_FN(name)     RFI_PASTE(name, RFI_ISA)

#define RFI_OP_DECLARE(name, args) void RFI_FN(rfi_##name)(rf_device * device, const args *op);
RF_OPS_TABLE(RFI_OP_DECLARE)
#undef RFI_OP_DECLARE

#endif
