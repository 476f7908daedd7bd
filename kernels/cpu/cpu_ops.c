/* cpu_ops.c - the table of one instruction set. */
#include "kernels/cpu/cpu_isa.h"
#include "kernels/parts.h"

void RFI_FN(rfi_draw_conditions)(rf_device *device, const rf_draw_conditions *op)
{
    rfi_draw_conditions(device, op);
}

void RFI_FN(rfi_draw_rows)(rf_device *device, const rf_draw_rows *op)
{
    rfi_draw_rows(device, op);
}

void RFI_FN(rfi_take_rows)(rf_device *device, const rf_take_rows *op)
{
    rfi_take_rows(device, op);
}

#define RFI_BY_PARTS(name)                                                                                   \
    void RFI_FN(rfi_##name)(rf_device * device, const rf_##name *op)                                         \
    {                                                                                                        \
        rf_parts_##name(device, op);                                                                         \
    }
RFI_BY_PARTS(draw_batches)
RFI_BY_PARTS(batchnorm_batches)
RFI_BY_PARTS(activate_batches)
RFI_BY_PARTS(generate)
RFI_BY_PARTS(generate_back)
RFI_BY_PARTS(take_layer)
RFI_BY_PARTS(latent)
RFI_BY_PARTS(latent_gradient)
RFI_BY_PARTS(reconstruct_gradient)
RFI_BY_PARTS(critic_layer)
RFI_BY_PARTS(critic_first)
RFI_BY_PARTS(gradient_penalty)

#define RFI_OP_ENTRY(name, args) .name = RFI_FN(rfi_##name),
const rf_ops RFI_FN(rfi_ops) = {RF_OPS_TABLE(RFI_OP_ENTRY).step_tick = rfi_step_tick,
                                .adam_tick = rfi_adam_tick,
                                /* Updates are done where they stand. */
                                .updates_begin = rfi_adam_tick, .updates_end = rfi_step_tick};
