/* The inner loops for processors with AVX-512; see mixture_step.h. */
#include "engine/transform/mixture_step.h"

#define RFI_STEP      rfi_step_avx512
#define RFI_STEP_NAME "avx512"
extern const rfi_step rfi_step_avx512;
#include "engine/transform/mixture_step_body.h"
