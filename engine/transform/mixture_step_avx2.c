/* The inner loops for processors with AVX2; see mixture_step.h. */
#include "engine/transform/mixture_step.h"

#define RFI_STEP      rfi_step_avx2
#define RFI_STEP_NAME "avx2"
extern const rfi_step rfi_step_avx2;
#include "engine/transform/mixture_step_body.h"
